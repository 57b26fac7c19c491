// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/cartesian_impedance.hpp"

namespace hilserl_control {

/// Numbers of the admittance on top of the law's.
struct AdmittanceConfig {
  ControllerConfig law;  ///< everything of the impedance law; its joint efforts are not used
  /// kg, kg m^2: virtual inertia that the law pushes
  Vector6 mass = (Vector6() << 8.0, 8.0, 8.0, 0.4, 0.4, 0.4).finished();
  Eigen::Vector2d wrench_deadband{1.0, 0.05};  ///< N, Nm; a smaller measured norm counts as none
  JointVector max_joint_velocity;              ///< rad/s, per joint (URDF)
  double inverse_kinematics_damping = 0.05;    ///< lambda of J J^T + lambda^2 I: slows near singularities
  double posture_rate = 1.0;                   ///< 1/s, how fast the elbow goes back to the posture
  double max_following_error = 0.1;  ///< rad, the command stays this close to the measured positions

  AdmittanceConfig();
};

/// Throws std::invalid_argument naming field, value and rule.
void validate(const AdmittanceConfig& config);

/// What the host of a position-controlled arm measured this cycle.
struct AdmittanceMeasurement {
  double now = 0.0;                  ///< s
  double dt = 0.0;                   ///< s since the last update
  JointVector q;                     ///< rad, measured
  Pose pose;                         ///< base_T_tcp at command(), not at q
  Jacobian jacobian;                 ///< at command(), base axes
  Vector6 wrench = Vector6::Zero();  ///< of the environment on the hand, at the tcp, base axes; N, Nm
};

/// Admittance for position-controlled arms: the impedance law pushes a virtual mass, which the measured
/// wrench pushes back; joints follow its motion. Targets, modes, clips, walls, caps and ramps are those of
/// the law, so a blocked arm pushes with stiffness times clip here too. Same thread rules as the law.
class CartesianAdmittance {
 public:
  explicit CartesianAdmittance(const AdmittanceConfig& config);

  /// Activation: at rest at the measured positions. `pose` is the tcp's there.
  void reset(const JointVector& q, const Pose& pose, double now);

  bool set_gains(const Gains& gains) noexcept;
  bool set_wrench_gains(const Gains& gains) noexcept { return law_.set_wrench_gains(gains); }
  bool set_target(const Target& target) noexcept { return law_.set_target(target); }

  /// One cycle. Joint positions to command, rad. A measurement that is not finite stops the motion.
  const JointVector& update(const AdmittanceMeasurement& measurement) noexcept;

  const JointVector& command() const noexcept { return command_; }
  const JointVector& velocity() const noexcept { return velocity_; }  ///< of the command, rad/s
  const Vector6& twist() const noexcept { return twist_; }            ///< of the virtual mass, base axes
  const State& state() const noexcept { return state_; }              ///< effort is zero

 private:
  bool is_usable(const AdmittanceMeasurement& measurement) const noexcept;
  void stop() noexcept;
  void accelerate(const AdmittanceMeasurement& measurement, double dt) noexcept;
  void move_joints(const AdmittanceMeasurement& measurement, double dt) noexcept;
  JointVector wanted_velocity(const Jacobian& jacobian) const noexcept;

  AdmittanceConfig config_;
  CartesianImpedance law_;
  Measurement virtual_arm_;
  JointVector posture_;
  JointVector command_;
  JointVector velocity_;
  Vector6 twist_ = Vector6::Zero();
  State state_;
};

}  // namespace hilserl_control
