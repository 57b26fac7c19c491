// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/reference.hpp"

#include "hilserl_control/rotation.hpp"
#include "hilserl_control/wrench.hpp"

namespace hilserl_control {

namespace {

/// Marks the axes on which two vectors differ.
void mark_difference(AxisFlags& flags, Eigen::Index first, const Vector3& wanted, const Vector3& granted,
                     LimitFlag flag) noexcept {
  for (Eigen::Index i = 0; i < 3; ++i) {
    if (wanted[i] != granted[i]) mark(flags, first + i, flag);
  }
}

}  // namespace

Reference::Reference(const ControllerConfig& config) noexcept
    : workspace_(config),
      max_linear_speed_(config.max_linear_speed),
      max_angular_speed_(config.max_angular_speed),
      time_constant_(config.reference_time_constant) {}

void Reference::advance(const Pose& target, double dt, AxisFlags& flags) noexcept {
  const Vector3 boxed = workspace_.clip_position(target.position);
  mark_difference(flags, 0, target.position, boxed, kWorkspace);
  const Quaternion aim = bounded(target.orientation, flags);

  const double factor = smoothing_factor(dt, time_constant_);
  Vector3 step = factor * (boxed - pose_.position);
  if (limit_norm(step, max_linear_speed_ * dt)) mark_triplet(flags, 0, kSpeed);
  pose_.position += step;

  Vector3 turn = factor * log3(aim * pose_.orientation.conjugate());
  if (limit_norm(turn, max_angular_speed_ * dt)) mark_triplet(flags, 3, kSpeed);
  const Quaternion turned = (exp3(turn) * pose_.orientation).normalized();
  pose_.orientation = workspace_.confine_orientation(turned, pose_.orientation);
}

void Reference::integrate(const Vector6& twist, const Pose& measured, const GainRamp& gains, double dt,
                          AxisFlags& flags) noexcept {
  Vector6 step = twist * dt;
  if (limit_norm(step.head<3>(), max_linear_speed_ * dt)) mark_triplet(flags, 0, kSpeed);
  if (limit_norm(step.tail<3>(), max_angular_speed_ * dt)) mark_triplet(flags, 3, kSpeed);

  // Never farther ahead than the clip, and never dragged along when the arm is pushed away.
  const Vector6 lead = pose_error(pose_, measured);
  const Vector6 lower = (-gains.clip_negative()).cwiseMin(lead);
  const Vector6 upper = gains.clip_positive().cwiseMax(lead);
  const Vector6 next = lead + step;
  for (Eigen::Index i = 0; i < 6; ++i) {
    if (next[i] >= lower[i] && next[i] <= upper[i]) continue;
    step[i] = (next[i] < lower[i] ? lower[i] : upper[i]) - lead[i];
    mark(flags, i, kClip);
  }

  const Vector3 moved = pose_.position + step.head<3>();
  const Vector3 confined = workspace_.confine_position(moved, pose_.position);
  mark_difference(flags, 0, moved, confined, kWorkspace);
  pose_.position = confined;

  const Vector3 turn = step.tail<3>();
  const Quaternion turned = (exp3(turn) * pose_.orientation).normalized();
  const Quaternion granted = workspace_.confine_orientation(turned, pose_.orientation);
  if (workspace_.bounds_orientation()) {
    mark_difference(flags, 3, workspace_.rotation_of(turned), workspace_.rotation_of(granted), kWorkspace);
  }
  pose_.orientation = granted;
}

void Reference::yield(const Pose& measured, const Vector6& axes) noexcept {
  const Vector3 kept = pose_error(pose_, measured).tail<3>().cwiseProduct(Vector3::Ones() - axes.tail<3>());
  for (Eigen::Index i = 0; i < 3; ++i) {
    if (axes[i] > 0.0) pose_.position[i] = measured.position[i];
  }
  if (axes.tail<3>().isZero()) return;
  pose_.orientation = (exp3(kept) * measured.orientation).normalized();
}

Quaternion Reference::bounded(const Quaternion& target, AxisFlags& flags) const noexcept {
  if (!workspace_.bounds_orientation()) return target;
  const Vector3 rotation = workspace_.rotation_of(target);
  const Vector3 clipped = workspace_.clip_rotation(rotation);
  if (clipped == rotation) return target;
  mark_difference(flags, 3, rotation, clipped, kWorkspace);
  return workspace_.orientation_of(clipped);
}

}  // namespace hilserl_control
