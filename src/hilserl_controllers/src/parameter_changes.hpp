// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rclcpp/parameter.hpp>
#include <string>
#include <vector>

namespace hilserl_controllers {

/// `params` as they will be with `changed`: the parameters that may change at run time.
template <typename Params>
Params with_changes(Params params, const std::vector<rclcpp::Parameter>& changed) {
  for (const rclcpp::Parameter& parameter : changed) {
    const std::string& name = parameter.get_name();
    if (name == "gains.stiffness") params.gains.stiffness = parameter.as_double_array();
    if (name == "gains.damping") params.gains.damping = parameter.as_double_array();
    if (name == "gains.damping_ratio") params.gains.damping_ratio = parameter.as_double_array();
    if (name == "gains.integral") params.gains.integral = parameter.as_double_array();
    if (name == "gains.clip_unit") params.gains.clip_unit = parameter.as_string();
    if (name == "gains.clip_negative") params.gains.clip_negative = parameter.as_double_array();
    if (name == "gains.clip_positive") params.gains.clip_positive = parameter.as_double_array();
    if (name == "wrench_gains.stiffness") params.wrench_gains.stiffness = parameter.as_double_array();
    if (name == "wrench_gains.damping") params.wrench_gains.damping = parameter.as_double_array();
  }
  return params;
}

}  // namespace hilserl_controllers
