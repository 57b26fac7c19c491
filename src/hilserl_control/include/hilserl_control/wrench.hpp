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

/// Spring part of the wrench, never above stiffness times clip. Where the reference lets go of an axis,
/// what the spring pushed there fades with the gains' time constant instead of stepping.
class SpringWrench {
 public:
  explicit SpringWrench(double time_constant) noexcept : time_constant_(time_constant) {}

  void reset() noexcept;
  /// The error of the axes marked 1 is dropped from now on.
  void let_go(const Vector6& axes) noexcept { fading_ += axes.cwiseProduct(wrench_ - fading_); }
  /// Stiffness times clipped error plus what still fades, within [-push_negative, push_positive].
  const Vector6& advance(const GainRamp& gains, const Vector6& error_clipped, const Vector6& push_negative,
                         const Vector6& push_positive, double dt) noexcept;

 private:
  double time_constant_;
  Vector6 wrench_ = Vector6::Zero();
  Vector6 fading_ = Vector6::Zero();
};

/// Integral part of the wrench. What is kept is the wrench itself (N, Nm), so a change of gain moves
/// nothing.
class IntegralWrench {
 public:
  IntegralWrench(const Eigen::Vector2d& cap, double time_constant) noexcept;

  void reset() noexcept { wrench_.setZero(); }
  /// Adds gain * error * dt, bounded (marks WRENCH_LIMIT); fades out on axes whose profile has no integral
  /// gain.
  const Vector6& advance(const GainRamp& gains, const Vector6& error, double dt, AxisFlags& flags) noexcept;

 private:
  Vector6 cap_;
  double time_constant_;
  Vector6 wrench_ = Vector6::Zero();
};

/// The target's wrench: limited per axis in the axes it is given in, turned to base axes, and reached at a
/// bounded rate (N/s, Nm/s), so that neither a new wrench nor another frame makes a step.
class CommandedWrench {
 public:
  explicit CommandedWrench(const ControllerConfig& config) noexcept;

  void reset() noexcept { wrench_.setZero(); }
  /// One cycle towards `wanted`; marks WRENCH_LIMIT and WRENCH_RATE. Returns base axes.
  const Vector6& advance(const Vector6& wanted, WrenchFrame frame, const Quaternion& base_R_tcp, double dt,
                         AxisFlags& flags) noexcept;
  bool is_zero() const noexcept { return wrench_ == Vector6::Zero(); }

 private:
  Vector6 limit_negative_;
  Vector6 limit_positive_;
  Eigen::Vector2d max_rate_;
  Vector6 wrench_ = Vector6::Zero();
};

}  // namespace hilserl_control
