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

bool uses_pose(Mode mode) noexcept {
  return mode == Mode::kPose || mode == Mode::kPoseAndWrench;
}

bool uses_twist(Mode mode) noexcept {
  return mode == Mode::kTwist;
}

bool uses_wrench(Mode mode) noexcept {
  return mode == Mode::kWrench || mode == Mode::kPoseAndWrench;
}

namespace {

bool is_valid(const Target& target) noexcept {
  const bool known = uses_pose(target.mode) || uses_twist(target.mode) || uses_wrench(target.mode);
  const bool framed = target.wrench_frame == WrenchFrame::kBase || target.wrench_frame == WrenchFrame::kTcp;
  return known && framed && std::isfinite(target.stamp) &&
         (!uses_pose(target.mode) || is_valid(target.pose)) &&
         (!uses_twist(target.mode) || target.twist.allFinite()) &&
         (!uses_wrench(target.mode) || target.wrench.allFinite());
}

}  // namespace

TargetBuffer::TargetBuffer(const ControllerConfig& config) noexcept
    : pose_timeout_(config.target_timeout),
      twist_timeout_(config.twist_timeout),
      wrench_timeout_(config.wrench_timeout) {}

void TargetBuffer::reset(double now) noexcept {
  target_ = Target{};
  target_.stamp = now;
  holding_ = true;
  has_target_ = false;
  rejected_ = false;
}

bool TargetBuffer::set(const Target& target) noexcept {
  rejected_ = !is_valid(target);
  if (rejected_) return false;
  target_ = target;
  if (uses_pose(target.mode)) target_.pose.orientation.normalize();
  has_target_ = true;
  return true;
}

bool TargetBuffer::check_age(double now) noexcept {
  const double timeout = uses_pose(target_.mode)    ? pose_timeout_
                         : uses_twist(target_.mode) ? twist_timeout_
                                                    : wrench_timeout_;
  const bool became_stale = !fresh(now, timeout) && !holding_;
  holding_ = !fresh(now, timeout);
  return became_stale;
}

bool TargetBuffer::wrench_stale(double now) const noexcept {
  return has_target_ && uses_wrench(target_.mode) && !fresh(now, wrench_timeout_);
}

bool TargetBuffer::fresh(double now, double timeout) const noexcept {
  // A stamp far in the future (another clock) is as useless as an old one: it would never become stale.
  return has_target_ && std::abs(age(now)) <= timeout;
}

}  // namespace hilserl_control
