// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/gain_ramp.hpp"
#include "hilserl_control/state.hpp"
#include "hilserl_control/workspace.hpp"

namespace hilserl_control {

/// Second and third step: the pose inside the workspace that the law tracks. It moves towards a pose or
/// with a twist, never faster than the speed limits, or yields to the arm.
class Reference {
 public:
  explicit Reference(const ControllerConfig& config) noexcept;

  /// Puts the reference onto `pose` at once.
  void reset(const Pose& pose) noexcept { pose_ = pose; }

  /// One cycle towards `target`, smoothed; marks WORKSPACE and SPEED.
  void advance(const Pose& target, double dt, AxisFlags& flags) noexcept;

  /// One cycle with `twist` (base axes); marks WORKSPACE, SPEED and, where the reference would run farther
  /// ahead of a blocked arm than the clips, CLIP: more lead adds no force, only a way back.
  void integrate(const Vector6& twist, const Pose& measured, const GainRamp& gains, double dt,
                 AxisFlags& flags) noexcept;

  /// Goes to `measured` on the axes marked 1, stands on those marked 0.
  void yield(const Pose& measured, const Vector6& axes) noexcept;

  const Pose& pose() const noexcept { return pose_; }

 private:
  Quaternion bounded(const Quaternion& target, AxisFlags& flags) const noexcept;

  Workspace workspace_;
  double max_linear_speed_;
  double max_angular_speed_;
  double time_constant_;
  Pose pose_;
};

}  // namespace hilserl_control
