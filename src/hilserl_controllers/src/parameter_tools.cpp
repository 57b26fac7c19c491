// SPDX-License-Identifier: Apache-2.0
#include "parameter_tools.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace hilserl_controllers {

namespace {

constexpr std::array<const char*, 6> kAxes = {"x", "y", "z", "about x", "about y", "about z"};

/// Fields of the law's config whose parameter has another name.
constexpr std::array<std::pair<const char*, const char*>, 25> kRenamed = {{
    {"effort_limits", "limits.effort"},
    {"max_effort_rate", "limits.effort_rate"},
    {"joint_limit_margin", "limits.joint_margin"},
    {"joint_limit_effort", "limits.joint_repulsion"},
    {"workspace_min", "limits.workspace_min"},
    {"orientation_bound.reference", "limits.orientation_reference"},
    {"orientation_bound.minimum", "limits.orientation_min"},
    {"max_linear_speed", "limits.max_linear_speed"},
    {"max_angular_speed", "limits.max_angular_speed"},
    {"wrench_limit_negative", "limits.wrench_negative"},
    {"wrench_limit_positive", "limits.wrench_positive"},
    {"max_wrench_rate", "limits.wrench_rate"},
    {"wall_stiffness", "walls.stiffness"},
    {"wall_damping", "walls.damping"},
    {"wall_margin", "walls.margin"},
    {"wall_cap", "walls.cap"},
    {"nullspace_regularization", "nullspace.regularization"},
    {"joint1_nullspace_stiffness", "nullspace.joint1_stiffness"},
    {"nullspace_stiffness", "nullspace.stiffness"},
    {"nullspace_posture", "nullspace.posture"},
    {"mass", "admittance.mass"},
    {"wrench_deadband", "admittance.wrench_deadband"},
    {"max_joint_velocity", "limits.joint_velocity"},
    {"posture_rate", "admittance.posture_rate"},
    {"max_following_error", "admittance.max_following_error"},
}};

}  // namespace

const char* axis_name(Eigen::Index axis) {
  return kAxes[static_cast<std::size_t>(axis)];
}

std::string with_parameter_name(const std::string& text) {
  for (const auto& [field, parameter] : kRenamed) {
    const std::string start = std::string(field) + " is ";
    if (text.rfind(start, 0) == 0)
      return "Parameter '" + std::string(parameter) + "' is " + text.substr(start.size());
  }
  return "Parameter " + text;
}

void refuse_parameter(const std::string& name, const std::string& value, const std::string& rule) {
  throw std::invalid_argument("Parameter '" + name + "' is " + value + ": " + rule);
}

std::string shown(const std::vector<double>& values) {
  std::ostringstream text;
  text << "[";
  for (std::size_t i = 0; i < values.size(); ++i) text << (i == 0 ? "" : ", ") << values[i];
  text << "]";
  return text.str();
}

Eigen::VectorXd vector_of(const std::string& name, const std::vector<double>& values, Eigen::Index size,
                          const std::string& entries) {
  const bool finite = std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  if (static_cast<Eigen::Index>(values.size()) != size || !finite) {
    refuse_parameter(name, shown(values), "must be " + std::to_string(size) + " finite numbers, " + entries);
  }
  return Eigen::Map<const Eigen::VectorXd>(values.data(), size);
}

Eigen::Vector2d two(const std::string& name, const std::vector<double>& values) {
  return vector_of(name, values, 2, "for translation and for rotation");
}

Vector3 three(const std::string& name, const std::vector<double>& values) {
  return vector_of(name, values, 3, "x y z");
}

Vector6 six(const std::string& name, const std::vector<double>& values) {
  return vector_of(name, values, 6, "x y z and about x y z");
}

JointVector joint_limits(const std::string& name, const std::vector<double>& given,
                         const std::vector<std::string>& joints, const JointVector& described,
                         const std::string& kind) {
  const auto count = static_cast<Eigen::Index>(joints.size());
  if (!given.empty()) {
    const JointVector limits = vector_of(name, given, count, "one a joint");
    for (Eigen::Index i = 0; i < count; ++i) {
      if (limits[i] > 0.0 && limits[i] <= described[i]) continue;
      std::ostringstream rule;
      rule << "entry " << limits[i] << " of joint '" << joints[static_cast<std::size_t>(i)]
           << "' must be above 0 and at most " << described[i] << ", the " << kind
           << " limit of the robot description";
      refuse_parameter(name, shown(given), rule.str());
    }
    return limits;
  }
  for (Eigen::Index i = 0; i < count; ++i) {
    if (std::isfinite(described[i])) continue;
    refuse_parameter(name, "[]",
                     "joint '" + joints[static_cast<std::size_t>(i)] + "' has no " + kind +
                         " limit in the robot description: give one per joint");
  }
  return described;
}

JointVector position_limits(const JointVector& described) {
  constexpr double kUnreachable = 1e6;  // rad
  return described.cwiseMax(-kUnreachable).cwiseMin(kUnreachable);
}

}  // namespace hilserl_controllers
