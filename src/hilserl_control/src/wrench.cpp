// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/wrench.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

Vector6 pose_error(const Pose& reference, const Pose& measured) noexcept {
  Vector6 error;
  error.head<3>() = reference.position - measured.position;
  error.tail<3>() = log3(reference.orientation * measured.orientation.conjugate());
  return error;
}

Vector6 clip_error(const Vector6& error, const Vector6& negative, const Vector6& positive,
                   AxisFlags& flags) noexcept {
  const Vector6 clipped = error.cwiseMax(-negative).cwiseMin(positive);
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const auto axis = static_cast<Eigen::Index>(i);
    if (clipped[axis] != error[axis]) flags[i] = static_cast<std::uint8_t>(flags[i] | kClip);
  }
  return clipped;
}

void cap_wrench(Vector6& wrench, const Eigen::Vector2d& cap, AxisFlags& flags) noexcept {
  if (limit_norm(wrench.head<3>(), cap[0])) mark_triplet(flags, 0, kWrenchCap);
  if (limit_norm(wrench.tail<3>(), cap[1])) mark_triplet(flags, 3, kWrenchCap);
}

IntegralWrench::IntegralWrench(const Eigen::Vector2d& cap, double time_constant) noexcept
    : time_constant_(time_constant) {
  cap_ << Vector3::Constant(cap[0]), Vector3::Constant(cap[1]);
}

const Vector6& IntegralWrench::advance(const GainRamp& gains, const Vector6& error, double dt) noexcept {
  const double fade = 1.0 - smoothing_factor(dt, time_constant_);
  for (Eigen::Index axis = 0; axis < wrench_.size(); ++axis) {
    if (gains.integrates(axis)) {
      wrench_[axis] += gains.integral()[axis] * error[axis] * dt;
    } else {
      wrench_[axis] *= fade;
    }
  }
  wrench_ = wrench_.cwiseMax(-cap_).cwiseMin(cap_);
  return wrench_;
}

const Vector6& FeedforwardWrench::advance(const Vector6& goal, double dt) noexcept {
  wrench_ += smoothing_factor(dt, time_constant_) * (goal - wrench_);
  return wrench_;
}

}  // namespace hilserl_control
