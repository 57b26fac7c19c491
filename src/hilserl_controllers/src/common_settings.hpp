// SPDX-License-Identifier: Apache-2.0
// Parameters that both controllers have, read into what the law wants. Everything throws
// std::invalid_argument naming parameter, value and rule.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "hilserl_control/config.hpp"
#include "hilserl_control/push_limits.hpp"
#include "hilserl_controllers/profile_changes.hpp"
#include "hilserl_controllers/target_inbox.hpp"
#include "parameter_tools.hpp"

namespace hilserl_controllers {

using hilserl_control::ControllerConfig;
using hilserl_control::Gains;

/// A push above the wrench cap would make the clip a promise that does not hold.
template <typename Params>
void check_push(const Params& params, const char* parameter, const Vector6& push,
                const std::vector<double>& given) {
  for (Eigen::Index i = 0; i < 6; ++i) {
    const double cap = i < 3 ? params.limits.max_force : params.limits.max_torque;
    if (push[i] <= cap) continue;
    std::ostringstream rule;
    rule << "stiffness times clip along axis " << axis_name(i) << " is " << push[i] << (i < 3 ? " N" : " Nm")
         << ", must be at most " << (i < 3 ? "limits.max_force" : "limits.max_torque") << " = " << cap;
    refuse_parameter(parameter, shown(given), rule.str());
  }
}

template <typename Params>
void set_clips(const Params& params, Gains& gains) {
  const Vector6 negative = six("gains.clip_negative", params.gains.clip_negative);
  const Vector6 positive = six("gains.clip_positive", params.gains.clip_positive);
  if (params.gains.clip_unit == "force") {
    with_parameter_names([&] { hilserl_control::set_push_limits(gains, {negative, positive}); });
  } else {
    gains.clip_negative = negative;
    gains.clip_positive = positive;
  }
}

template <typename Params>
Gains impedance_profile(const Params& params) {
  Gains gains;
  gains.stiffness = six("gains.stiffness", params.gains.stiffness);
  gains.damping_ratio = six("gains.damping_ratio", params.gains.damping_ratio);
  gains.integral = six("gains.integral", params.gains.integral);
  gains.damping.reset();
  if (!params.gains.damping.empty()) gains.damping = six("gains.damping", params.gains.damping);
  set_clips(params, gains);
  with_parameter_names([&] { hilserl_control::validate(gains); });
  const auto push = hilserl_control::push_limits(gains);
  check_push(params, "gains.clip_negative", push.negative, params.gains.clip_negative);
  check_push(params, "gains.clip_positive", push.positive, params.gains.clip_positive);
  return gains;
}

/// Held axes of the wrench mode push no harder than the impedance does.
template <typename Params>
Gains wrench_profile(const Params& params, const Gains& impedance) {
  Gains gains = impedance;
  gains.integral.setZero();
  gains.stiffness = six("wrench_gains.stiffness", params.wrench_gains.stiffness);
  gains.damping = six("wrench_gains.damping", params.wrench_gains.damping);
  with_parameter_names([&] { hilserl_control::validate_wrench_gains(gains); });
  const auto push = hilserl_control::push_limits(gains);
  check_push(params, "wrench_gains.stiffness", push.negative, params.wrench_gains.stiffness);
  check_push(params, "wrench_gains.stiffness", push.positive, params.wrench_gains.stiffness);
  return gains;
}

/// The profiles, checked on their own and against limits.max_force and limits.max_torque.
template <typename Params>
Profiles profiles(const Params& params) {
  const Gains impedance = impedance_profile(params);
  return {impedance, wrench_profile(params, impedance)};
}

template <typename Params>
void set_reference(const Params& params, ControllerConfig& config) {
  config.workspace_min = three("limits.workspace_min", params.limits.workspace_min);
  config.workspace_max = three("limits.workspace_max", params.limits.workspace_max);
  if (!params.limits.orientation_reference.empty()) {
    const Eigen::Vector4d q = vector_of("limits.orientation_reference", params.limits.orientation_reference,
                                        4, "a quaternion x y z w");
    config.orientation_bound =
        hilserl_control::OrientationBound{hilserl_control::Quaternion(q[3], q[0], q[1], q[2]),
                                          three("limits.orientation_min", params.limits.orientation_min),
                                          three("limits.orientation_max", params.limits.orientation_max)};
  }
  config.max_linear_speed = params.limits.max_linear_speed;
  config.max_angular_speed = params.limits.max_angular_speed;
  config.reference_time_constant = params.reference_time_constant;
  config.target_timeout = params.target_timeout;
  config.twist_timeout = params.twist_timeout;
  config.max_period = params.max_period;
}

template <typename Params>
void set_wrench(const Params& params, ControllerConfig& config) {
  config.gain_time_constant = params.gain_time_constant;
  config.wrench_cap << params.limits.max_force, params.limits.max_torque;
  config.integral_cap << params.limits.integral_force, params.limits.integral_torque;
  config.wrench_limit_negative = six("limits.wrench_negative", params.limits.wrench_negative);
  config.wrench_limit_positive = six("limits.wrench_positive", params.limits.wrench_positive);
  config.max_wrench_rate = two("limits.wrench_rate", params.limits.wrench_rate);
  config.wrench_timeout = params.wrench_timeout;
  config.wall_stiffness = two("walls.stiffness", params.walls.stiffness);
  config.wall_damping = two("walls.damping", params.walls.damping);
  config.wall_margin = two("walls.margin", params.walls.margin);
  config.wall_cap = two("walls.cap", params.walls.cap);
}

template <typename Params>
TargetRules target_rules(const Params& params) {
  return {params.base_frame, params.end_effector_frame, params.target_timeout, params.twist_timeout,
          params.wrench_timeout};
}

}  // namespace hilserl_controllers
