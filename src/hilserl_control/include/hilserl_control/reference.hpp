// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"
#include "hilserl_control/state.hpp"

namespace hilserl_control {

/// Second and third step: the pose inside the workspace box that the law tracks. It moves towards the target,
/// smoothed and never faster than the speed limits.
class Reference {
 public:
  explicit Reference(const ControllerConfig& config) noexcept;

  /// Puts the reference onto `pose` at once.
  void reset(const Pose& pose) noexcept { pose_ = pose; }

  /// One cycle towards `target`; marks WORKSPACE and SPEED.
  void advance(const Pose& target, double dt, AxisFlags& flags) noexcept;

  const Pose& pose() const noexcept { return pose_; }

 private:
  Vector3 minimum_;
  Vector3 maximum_;
  double max_linear_speed_;
  double max_angular_speed_;
  double time_constant_;
  Pose pose_;
};

}  // namespace hilserl_control
