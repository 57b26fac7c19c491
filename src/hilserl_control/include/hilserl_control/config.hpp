// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// One compliance profile. The static push along an axis is stiffness times clip.
///
/// Defaults: RAM insertion of the original (examples/experiments/ram_insertion/config.py), converted: its
/// error is measured - desired, so its positive clip is our negative one; its rotation error is the
/// quaternion's vector part (half the angle), so stiffness 150 becomes 75 and a clip of 0.025 becomes 0.05
/// rad.
struct Gains {
  Vector6 stiffness = (Vector6() << 2000.0, 2000.0, 2000.0, 75.0, 75.0, 75.0).finished();  ///< N/m, Nm/rad
  /// N s/m, Nm s/rad; without it damping is 2 * damping_ratio * sqrt(stiffness) (unit mass, as the original).
  std::optional<Vector6> damping = (Vector6() << 89.0, 89.0, 89.0, 7.0, 7.0, 7.0).finished();
  Vector6 damping_ratio = Vector6::Ones();
  Vector6 integral = Vector6::Zero();  ///< N/(m s), Nm/(rad s)
  /// Magnitudes of the bounds on error = reference - measured, base axes; m, rad.
  Vector6 clip_negative = (Vector6() << 0.0075, 0.0016, 0.0055, 0.02, 0.05, 0.01).finished();
  Vector6 clip_positive = (Vector6() << 0.002, 0.0016, 0.005, 0.02, 0.05, 0.01).finished();
};

/// Numbers of the law. Robot numbers default to a Franka Panda.
struct ControllerConfig {
  Eigen::Index joints = 7;
  JointVector effort_limits;  ///< Nm
  JointVector joint_lower;    ///< rad
  JointVector joint_upper;    ///< rad
  JointVector
      max_effort_rate;  ///< Nm/s; one value for all joints or one per joint. The original: 1 Nm per ms.
  double joint_limit_margin = 0.1;   ///< rad before a joint limit where repulsion begins
  double joint_limit_effort = 10.0;  ///< Nm of repulsion at the limit, growing linearly over the margin
  Vector3 workspace_min{0.30, -0.25, 0.0};  ///< m, box for the target position, base frame
  Vector3 workspace_max{0.70, 0.25, 0.45};
  double max_linear_speed = 0.25;         ///< m/s, of the reference
  double max_angular_speed = 1.5;         ///< rad/s, of the reference
  double reference_time_constant = 0.05;  ///< s, first-order smoothing of the reference; 0: none
  double gain_time_constant = 0.2;  ///< s, ramp of gains, clips and feed-forward (original: 0.005 per ms)
  double target_timeout = 0.5;      ///< s, a target older than this is stale
  double max_period = 0.01;         ///< s, a longer cycle (overrun) counts as this long
  Eigen::Vector2d wrench_cap{40.0, 10.0};    ///< N, Nm; bounds of the norms of force and torque
  Eigen::Vector2d integral_cap{5.0, 1.0};    ///< N, Nm per axis; bound of the integral part
  double nullspace_stiffness = 10.0;         ///< Nm/rad
  double joint1_nullspace_stiffness = 10.0;  ///< Nm/rad on top for joint 1, which turns the whole arm
  double nullspace_damping_ratio = 1.0;
  double nullspace_regularization = 0.01;        ///< lambda of J J^T + lambda^2 I
  std::optional<JointVector> nullspace_posture;  ///< rad; without it the posture at reset
  Gains gains;

  ControllerConfig();
};

/// Throws std::invalid_argument naming field, value and rule.
void validate(const Gains& gains);
void validate(const ControllerConfig& config);

/// The same rule for a real-time thread: no message, no exception.
bool is_valid(const Gains& gains) noexcept;

/// Damping the gains stand for: explicit, or by ratio from stiffness.
Vector6 resolved_damping(const Gains& gains) noexcept;

}  // namespace hilserl_control
