// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"
#include "hilserl_control/gain_ramp.hpp"
#include "hilserl_control/state.hpp"

namespace hilserl_control {

/// reference - measured: position (m) and rotation vector (rad), base axes.
Vector6 pose_error(const Pose& reference, const Pose& measured) noexcept;

/// Clips each axis to [-negative, positive]; marks CLIP.
Vector6 clip_error(const Vector6& error, const Vector6& negative, const Vector6& positive,
                   AxisFlags& flags) noexcept;

/// Bounds the norms of force and torque; marks WRENCH_CAP.
void cap_wrench(Vector6& wrench, const Eigen::Vector2d& cap, AxisFlags& flags) noexcept;

/// Integral part of the wrench. What is kept is the wrench itself (N, Nm), so a change of gain moves nothing.
class IntegralWrench {
 public:
  IntegralWrench(const Eigen::Vector2d& cap, double time_constant) noexcept;

  void reset() noexcept { wrench_.setZero(); }
  /// Adds gain * error * dt, bounded; fades out on axes whose profile has no integral gain.
  const Vector6& advance(const GainRamp& gains, const Vector6& error, double dt) noexcept;

 private:
  Vector6 cap_;
  double time_constant_;
  Vector6 wrench_ = Vector6::Zero();
};

/// Feed-forward wrench: moves to what the target asks for with the gains' time constant, to zero while
/// holding.
class FeedforwardWrench {
 public:
  explicit FeedforwardWrench(double time_constant) noexcept : time_constant_(time_constant) {}

  void reset() noexcept { wrench_.setZero(); }
  const Vector6& advance(const Vector6& goal, double dt) noexcept;

 private:
  double time_constant_;
  Vector6 wrench_ = Vector6::Zero();
};

}  // namespace hilserl_control
