// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/walls.hpp"

#include <algorithm>
#include <cmath>

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

namespace {

constexpr double kNegligible = 1e-9;  // of full engagement

Vector6 per_axis(const Eigen::Vector2d& values) noexcept {
  Vector6 result;
  result << Vector3::Constant(values[0]), Vector3::Constant(values[1]);
  return result;
}

}  // namespace

WorkspaceWalls::WorkspaceWalls(const ControllerConfig& config) noexcept
    : workspace_(config),
      stiffness_(per_axis(config.wall_stiffness)),
      damping_(per_axis(config.wall_damping)),
      margin_(per_axis(config.wall_margin)),
      cap_(per_axis(config.wall_cap)),
      time_constant_(config.gain_time_constant) {}

Vector6 WorkspaceWalls::advance(bool engaged, const Pose& measured, const Vector6& twist, double dt,
                                AxisFlags& flags) noexcept {
  engagement_ += smoothing_factor(dt, time_constant_) * ((engaged ? 1.0 : 0.0) - engagement_);
  if (!engaged && engagement_ < kNegligible) engagement_ = 0.0;
  if (engagement_ == 0.0) return Vector6::Zero();
  const Vector6 wrench = engagement_ * push(measured, twist);
  for (Eigen::Index i = 0; i < 6; ++i) {
    if (wrench[i] != 0.0) mark(flags, i, kWall);
  }
  return wrench;
}

Vector6 WorkspaceWalls::push(const Pose& measured, const Vector6& twist) const noexcept {
  Vector6 inward = Vector6::Zero();  // m, rad: way back to the bound
  inward.head<3>() = workspace_.clip_position(measured.position) - measured.position;
  if (workspace_.bounds_orientation()) {
    const Vector3 rotation = workspace_.rotation_of(measured.orientation);
    inward.tail<3>() = workspace_.clip_rotation(rotation) - rotation;
  }
  Vector6 wrench = Vector6::Zero();
  for (Eigen::Index i = 0; i < 6; ++i) {
    const double depth = std::abs(inward[i]);
    const double sign = inward[i] < 0.0 ? -1.0 : 1.0;
    const double damping = damping_[i] * std::min(1.0, depth / margin_[i]);
    wrench[i] = sign * std::clamp(stiffness_[i] * depth - damping * sign * twist[i], 0.0, cap_[i]);
  }
  return wrench;
}

}  // namespace hilserl_control
