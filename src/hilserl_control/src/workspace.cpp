// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/workspace.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

namespace {
constexpr double kPi = 3.14159265358979323846;
}  // namespace

Workspace::Workspace(const ControllerConfig& config) noexcept
    : minimum_(config.workspace_min), maximum_(config.workspace_max), orientation_(config.orientation_bound) {
  if (orientation_) orientation_->reference.normalize();
}

Vector3 Workspace::clip_position(const Vector3& position) const noexcept {
  return position.cwiseMax(minimum_).cwiseMin(maximum_);
}

Vector3 Workspace::confine_position(const Vector3& next, const Vector3& last) const noexcept {
  return next.cwiseMax(minimum_.cwiseMin(last)).cwiseMin(maximum_.cwiseMax(last));
}

Vector3 Workspace::rotation_of(const Quaternion& orientation) const noexcept {
  return log3(orientation * orientation_->reference.conjugate());
}

Vector3 Workspace::clip_rotation(const Vector3& rotation) const noexcept {
  return rotation.cwiseMax(orientation_->minimum).cwiseMin(orientation_->maximum);
}

Quaternion Workspace::orientation_of(const Vector3& rotation) const noexcept {
  return (exp3(rotation) * orientation_->reference).normalized();
}

Quaternion Workspace::confine_orientation(const Quaternion& next, const Quaternion& last) const noexcept {
  if (!orientation_) return next;
  const Vector3 from = rotation_of(last);
  const Vector3 to = rotation_of(next);
  // Half a turn away the rotation vector changes its sign; that is no motion and needs no bound.
  if ((to - from).norm() > kPi) return next;
  const Vector3 lower = orientation_->minimum.cwiseMin(from);
  const Vector3 upper = orientation_->maximum.cwiseMax(from);
  const Vector3 confined = to.cwiseMax(lower).cwiseMin(upper);
  return confined == to ? next : orientation_of(confined);
}

}  // namespace hilserl_control
