// SPDX-License-Identifier: Apache-2.0
#include "impedance_settings.hpp"

#include "parameter_tools.hpp"

namespace hilserl_controllers {

namespace {

using hilserl_control::NullspaceMode;

void set_joints(const ImpedanceParams& params, const DescribedLimits& described, ControllerConfig& config) {
  const auto count = static_cast<Eigen::Index>(params.joints.size());
  config.joints = count;
  config.effort_limits =
      joint_limits("limits.effort", params.limits.effort, params.joints, described.effort, "effort");
  config.joint_lower = position_limits(described.lower);
  config.joint_upper = position_limits(described.upper);
  const auto& rate = params.limits.effort_rate;
  config.max_effort_rate = vector_of("limits.effort_rate", rate, rate.size() == 1 ? 1 : count,
                                     "one for all joints or one a joint (Nm/s)");
  config.joint_limit_margin = params.limits.joint_margin;
  config.joint_limit_effort = params.limits.joint_repulsion;
}

void set_nullspace(const ImpedanceParams& params, ControllerConfig& config) {
  const auto& given = params.nullspace;
  config.nullspace_mode = given.mode == "none"      ? NullspaceMode::kNone
                          : given.mode == "dynamic" ? NullspaceMode::kDynamic
                                                    : NullspaceMode::kKinematic;
  config.nullspace_stiffness = given.stiffness;
  config.joint1_nullspace_stiffness = given.joint1_stiffness;
  config.nullspace_damping_ratio = given.damping_ratio;
  config.nullspace_regularization = given.regularization;
  if (!given.posture.empty())
    config.nullspace_posture =
        vector_of("nullspace.posture", given.posture, config.joints, "one a joint (rad)");
}

}  // namespace

ArmFrames arm_frames(const ImpedanceParams& params) {
  return {params.joints, params.base_frame, params.end_effector_frame,
          three("dynamics.gravity_vector", params.dynamics.gravity_vector)};
}

ControllerConfig law_config(const ImpedanceParams& params, const DescribedLimits& described) {
  ControllerConfig config;
  const Profiles both = profiles(params);
  config.gains = both.impedance;
  config.wrench_gains = both.wrench;
  set_joints(params, described, config);
  set_reference(params, config);
  set_wrench(params, config);
  set_nullspace(params, config);
  with_parameter_names([&] { hilserl_control::validate(config); });
  return config;
}

}  // namespace hilserl_controllers
