// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/reference.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

Reference::Reference(const ControllerConfig& config) noexcept
    : minimum_(config.workspace_min),
      maximum_(config.workspace_max),
      max_linear_speed_(config.max_linear_speed),
      max_angular_speed_(config.max_angular_speed),
      time_constant_(config.reference_time_constant) {}

void Reference::advance(const Pose& target, double dt, AxisFlags& flags) noexcept {
  const Vector3 boxed = target.position.cwiseMax(minimum_).cwiseMin(maximum_);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto axis = static_cast<Eigen::Index>(i);
    if (boxed[axis] != target.position[axis]) flags[i] = static_cast<std::uint8_t>(flags[i] | kWorkspace);
  }

  const double factor = smoothing_factor(dt, time_constant_);
  Vector3 step = factor * (boxed - pose_.position);
  if (limit_norm(step, max_linear_speed_ * dt)) mark_triplet(flags, 0, kSpeed);
  pose_.position += step;

  Vector3 turn = factor * log3(target.orientation * pose_.orientation.conjugate());
  if (limit_norm(turn, max_angular_speed_ * dt)) mark_triplet(flags, 3, kSpeed);
  pose_.orientation = (exp3(turn) * pose_.orientation).normalized();
}

}  // namespace hilserl_control
