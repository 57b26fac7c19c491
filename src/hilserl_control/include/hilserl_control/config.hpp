// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
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
  /// N s/m, Nm s/rad; without it damping is 2 * damping_ratio * sqrt(stiffness) (unit mass, as the
  /// original).
  std::optional<Vector6> damping = (Vector6() << 89.0, 89.0, 89.0, 7.0, 7.0, 7.0).finished();
  Vector6 damping_ratio = Vector6::Ones();  ///< of critical damping at unit mass, where damping is left out
  Vector6 integral = Vector6::Zero();       ///< N/(m s), Nm/(rad s)
  /// m, rad: magnitude of the lower bound on error = reference - measured, base axes (original: its clip)
  Vector6 clip_negative = (Vector6() << 0.0075, 0.0016, 0.0055, 0.02, 0.05, 0.01).finished();
  /// m, rad: magnitude of the upper bound (original: its clip_neg)
  Vector6 clip_positive = (Vector6() << 0.002, 0.0016, 0.005, 0.02, 0.05, 0.01).finished();
};

/// Profile of the wrench mode: free on every axis. Stiffness on an axis holds it where the mode began.
Gains free_gains() noexcept;

/// Bound of the orientation: rotation vector from `reference`, base axes, per axis.
struct OrientationBound {
  Quaternion reference = Quaternion(0.0, 1.0, 0.0, 0.0);  ///< unit quaternion; tool pointing down
  Vector3 minimum{-0.5, -0.5, -0.5};                      ///< rad, at least -pi
  Vector3 maximum{0.5, 0.5, 0.5};                         ///< rad, at most pi
};

/// What turns joint torque into motion of the elbow only.
enum class NullspaceMode : std::uint8_t {
  kNone = 0,       ///< no posture task
  kKinematic = 1,  ///< I - J^T (J J^T + lambda^2 I)^-1 J: no torque at the tcp
  kDynamic = 2,    ///< weighted with the mass matrix: no acceleration of the tcp; needs Measurement::mass
};

/// Numbers of the law. Robot numbers default to a Franka Panda. One comment line a field: units, rule,
/// source (doc/parameters.md is made of them).
struct ControllerConfig {
  // Robot
  Eigen::Index joints = 7;           ///< number of joints, 1 to 8
  JointVector effort_limits;         ///< Nm, per joint (URDF)
  JointVector joint_lower;           ///< rad, per joint
  JointVector joint_upper;           ///< rad, per joint
  JointVector max_effort_rate;       ///< Nm/s, one for all joints or one per joint (original: 1 Nm per ms)
  double joint_limit_margin = 0.1;   ///< rad before a joint limit where repulsion begins
  double joint_limit_effort = 10.0;  ///< Nm of repulsion at the limit, growing linearly over the margin

  // Reference
  Vector3 workspace_min{0.30, -0.25, 0.0};            ///< m, box of the target position, base frame
  Vector3 workspace_max{0.70, 0.25, 0.45};            ///< m
  std::optional<OrientationBound> orientation_bound;  ///< rad, bound of the target orientation; none: free
  double max_linear_speed = 0.25;                     ///< m/s, of the reference
  double max_angular_speed = 1.5;                     ///< rad/s, of the reference
  double reference_time_constant = 0.05;  ///< s, first-order smoothing towards a target pose; 0: none
  double target_timeout = 0.5;            ///< s, an older pose is stale: hold
  double twist_timeout = 0.2;             ///< s, an older twist is stale: hold
  double max_period = 0.01;               ///< s, a longer cycle (overrun) counts as this long

  // Impedance
  Gains gains;                             ///< profile in use from activation on
  double gain_time_constant = 0.2;         ///< s, ramp of gains and clips (original: 0.005 per ms)
  Eigen::Vector2d wrench_cap{40.0, 10.0};  ///< N, Nm; norms of force and torque, everything included
  Eigen::Vector2d integral_cap{5.0, 1.0};  ///< N, Nm per axis; of the integral part

  // Commanded wrench
  Gains wrench_gains = free_gains();  ///< profile of the wrench mode: damping, and stiffness of axes to hold
  /// N, Nm per axis, magnitude towards minus, in the axes of the command (original: 20 N, 5 Nm)
  Vector6 wrench_limit_negative = (Vector6() << 20.0, 20.0, 20.0, 5.0, 5.0, 5.0).finished();
  /// N, Nm per axis, magnitude towards plus
  Vector6 wrench_limit_positive = (Vector6() << 20.0, 20.0, 20.0, 5.0, 5.0, 5.0).finished();
  Eigen::Vector2d max_wrench_rate{300.0, 75.0};  ///< N/s, Nm/s; norms of the change
  double wrench_timeout = 0.2;  ///< s, an older wrench is stale: it fades, then the pose is held
  Eigen::Vector2d wall_stiffness{2000.0, 75.0};  ///< N/m, Nm/rad of the soft walls at the workspace bounds
  Eigen::Vector2d wall_damping{150.0, 5.0};      ///< N s/m, Nm s/rad, growing over wall_margin
  Eigen::Vector2d wall_margin{0.005, 0.05};      ///< m, rad beyond a bound where damping is in full
  Eigen::Vector2d wall_cap{35.0, 8.0};           ///< N, Nm per axis; above every wrench limit

  // Nullspace
  NullspaceMode nullspace_mode = NullspaceMode::kKinematic;  ///< none, kinematic or dynamic
  double nullspace_stiffness = 10.0;                         ///< Nm/rad
  double joint1_nullspace_stiffness = 10.0;      ///< Nm/rad on top for joint 1, which turns the whole arm
  double nullspace_damping_ratio = 1.0;          ///< of critical damping at unit inertia
  double nullspace_regularization = 0.01;        ///< lambda of J J^T + lambda^2 I
  std::optional<JointVector> nullspace_posture;  ///< rad; none: the posture at reset

  ControllerConfig();
};

/// Throws std::invalid_argument naming field, value and rule.
void validate(const Gains& gains);
void validate(const ControllerConfig& config);

/// The same rule for a real-time thread: no message, no exception.
bool is_valid(const Gains& gains) noexcept;

/// A profile of the wrench mode also needs damping wherever it has no stiffness: nothing else bounds the
/// speed.
void validate_wrench_gains(const Gains& gains);
bool is_valid_for_wrench(const Gains& gains) noexcept;

/// Damping the gains stand for: explicit, or by ratio from stiffness.
Vector6 resolved_damping(const Gains& gains) noexcept;

}  // namespace hilserl_control
