// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "hilserl_controllers/arm_model.hpp"

namespace hilserl_controllers {

/// Throws std::invalid_argument "Parameter '<name>' is <value>: <rule>".
[[noreturn]] void refuse_parameter(const std::string& name, const std::string& value,
                                   const std::string& rule);

/// "[1, 2, 3]"
std::string shown(const std::vector<double>& values);

/// Copies `values` when they are finite and as many as `size`; else refuses, saying what the entries are.
Eigen::VectorXd vector_of(const std::string& name, const std::vector<double>& values, Eigen::Index size,
                          const std::string& entries);

/// Exactly three or six finite numbers.
Vector3 three(const std::string& name, const std::vector<double>& values);
Vector6 six(const std::string& name, const std::vector<double>& values);
Eigen::Vector2d two(const std::string& name, const std::vector<double>& values);

/// `given`, or the description's limits of this `kind` ("effort", "velocity") where nothing is given. Refuses
/// what is missing or above them.
JointVector joint_limits(const std::string& name, const std::vector<double>& given,
                         const std::vector<std::string>& joints, const JointVector& described,
                         const std::string& kind);

/// rad; a joint without limits (continuous) gets ones it cannot reach in a lifetime.
JointVector position_limits(const JointVector& described);

/// "x" ... "about z"
const char* axis_name(Eigen::Index axis);

/// A message of the law names its field; this one names the parameter.
std::string with_parameter_name(const std::string& text);

/// Runs a check of the law; its message then names the parameter, not the law's field.
template <typename Check>
void with_parameter_names(const Check& check) {
  try {
    check();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(with_parameter_name(error.what()));
  }
}

}  // namespace hilserl_controllers
