// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// First step: only valid targets get in, only fresh ones get out.
class TargetBuffer {
 public:
  explicit TargetBuffer(double timeout) noexcept : timeout_(timeout) {}

  /// Forgets every target; holds until the next one. Age counts from `now`.
  void reset(double now) noexcept;

  /// False when not finite or the quaternion is not of unit length: the last valid target stays.
  bool set(const Target& target) noexcept;

  /// Decides between target and hold. True in the one cycle in which the target became stale.
  bool check_age(double now) noexcept;

  /// The last valid target. Not to be followed while holding.
  const Target& target() const noexcept { return target_; }
  bool holding() const noexcept { return holding_; }
  /// Was the last target given refused?
  bool rejected() const noexcept { return rejected_; }
  double age(double now) const noexcept { return now - target_.stamp; }

 private:
  double timeout_;
  Target target_;
  bool holding_ = true;
  bool has_target_ = false;
  bool rejected_ = false;
};

/// Finite, and the quaternion of unit length within rounding.
bool is_valid(const Pose& pose) noexcept;

}  // namespace hilserl_control
