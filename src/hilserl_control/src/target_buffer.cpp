// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/target_buffer.hpp"

#include <cmath>

namespace hilserl_control {

namespace {
// Rounding to float32 or to a few decimals passes; a zero or unnormalised quaternion does not.
constexpr double kUnitTolerance = 1e-3;
}  // namespace

bool is_valid(const Pose& pose) noexcept {
  return pose.position.allFinite() && std::abs(pose.orientation.norm() - 1.0) <= kUnitTolerance;
}

void TargetBuffer::reset(double now) noexcept {
  target_ = Target{};
  target_.stamp = now;
  holding_ = true;
  has_target_ = false;
  rejected_ = false;
}

bool TargetBuffer::set(const Target& target) noexcept {
  rejected_ =
      !(is_valid(target.pose) && target.feedforward_wrench.allFinite() && std::isfinite(target.stamp));
  if (rejected_) return false;
  target_ = target;
  target_.pose.orientation.normalize();
  has_target_ = true;
  return true;
}

bool TargetBuffer::check_age(double now) noexcept {
  // A stamp far in the future (another clock) is as useless as an old one: it would never become stale.
  const bool fresh = has_target_ && std::abs(age(now)) <= timeout_;
  const bool became_stale = !fresh && !holding_;
  holding_ = !fresh;
  return became_stale;
}

}  // namespace hilserl_control
