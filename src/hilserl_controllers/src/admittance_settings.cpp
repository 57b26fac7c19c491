// SPDX-License-Identifier: Apache-2.0
#include "admittance_settings.hpp"

#include "parameter_tools.hpp"

namespace hilserl_controllers {

namespace {

/// The law computes joint efforts that a position-controlled arm has no use for; they need limits all the
/// same.
constexpr double kUnused = 1e6;

void set_joints(const AdmittanceParams& params, const DescribedLimits& described, ControllerConfig& config) {
  config.joints = static_cast<Eigen::Index>(params.joints.size());
  config.effort_limits = JointVector::Constant(config.joints, kUnused);
  config.max_effort_rate = JointVector::Constant(1, kUnused);
  config.joint_lower = position_limits(described.lower);
  config.joint_upper = position_limits(described.upper);
  config.joint_limit_effort = 0.0;
}

}  // namespace

ArmFrames arm_frames(const AdmittanceParams& params) {
  return {params.joints, params.base_frame, params.end_effector_frame};
}

hilserl_control::AdmittanceConfig law_config(const AdmittanceParams& params,
                                             const DescribedLimits& described) {
  hilserl_control::AdmittanceConfig config;
  const Profiles both = profiles(params);
  config.law.gains = both.impedance;
  config.law.wrench_gains = both.wrench;
  set_joints(params, described, config.law);
  set_reference(params, config.law);
  set_wrench(params, config.law);
  const auto& given = params.admittance;
  config.mass = six("admittance.mass", given.mass);
  config.wrench_deadband = two("admittance.wrench_deadband", given.wrench_deadband);
  config.max_joint_velocity = joint_limits("limits.joint_velocity", params.limits.joint_velocity,
                                           params.joints, described.velocity, "velocity");
  config.inverse_kinematics_damping = given.inverse_kinematics_damping;
  config.posture_rate = given.posture_rate;
  config.max_following_error = given.max_following_error;
  if (!given.posture.empty())
    config.law.nullspace_posture =
        vector_of("admittance.posture", given.posture, config.law.joints, "one a joint (rad)");
  with_parameter_names([&] { hilserl_control::validate(config); });
  return config;
}

}  // namespace hilserl_controllers
