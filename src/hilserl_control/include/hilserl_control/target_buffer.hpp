// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// First step: only valid targets get in, only fresh ones get out. A target is taken whole or not at all.
class TargetBuffer {
 public:
  explicit TargetBuffer(const ControllerConfig& config) noexcept;

  /// Forgets every target; holds until the next one. Age counts from `now`.
  void reset(double now) noexcept;

  /// False when the mode is unknown or what it uses is not finite or no pose: the last valid target stays.
  bool set(const Target& target) noexcept;

  /// Decides between target and hold. True in the one cycle in which the target became stale.
  bool check_age(double now) noexcept;

  /// The last valid target. Not to be followed while holding.
  const Target& target() const noexcept { return target_; }
  bool holding() const noexcept { return holding_; }
  /// Was the last target given refused?
  bool rejected() const noexcept { return rejected_; }
  double age(double now) const noexcept { return now - target_.stamp; }
  /// A wrench is asked for, but too long ago.
  bool wrench_stale(double now) const noexcept;

 private:
  bool fresh(double now, double timeout) const noexcept;

  double pose_timeout_;
  double twist_timeout_;
  double wrench_timeout_;
  Target target_;
  bool holding_ = true;
  bool has_target_ = false;
  bool rejected_ = false;
};

/// Does the mode use it?
bool uses_pose(Mode mode) noexcept;
bool uses_twist(Mode mode) noexcept;
bool uses_wrench(Mode mode) noexcept;

/// Finite, and the quaternion of unit length within rounding.
bool is_valid(const Pose& pose) noexcept;

}  // namespace hilserl_control
