// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/config.hpp"

#include <cmath>
#include <sstream>
#include <stdexcept>

namespace hilserl_control {

namespace {

constexpr double kPi = 3.14159265358979323846;

template <typename Value>
[[noreturn]] void fail(const char* field, const Value& value, const char* rule) {
  std::ostringstream text;
  text << field << " is " << value << ": " << rule;
  throw std::invalid_argument(text.str());
}

template <typename Derived>
[[noreturn]] void fail_vector(const char* field, const Eigen::MatrixBase<Derived>& value, const char* rule) {
  std::ostringstream text;
  text << "[" << value.transpose() << "]";
  fail(field, text.str(), rule);
}

bool non_negative(const Vector6& values) noexcept {
  return values.allFinite() && values.minCoeff() >= 0.0;
}

void require_non_negative(const char* field, const Vector6& values, const char* rule) {
  if (!non_negative(values)) fail_vector(field, values, rule);
}

void require_positive(const char* field, double value, const char* rule) {
  if (!(std::isfinite(value) && value > 0.0)) fail(field, value, rule);
}

void require_non_negative(const char* field, double value, const char* rule) {
  if (!(std::isfinite(value) && value >= 0.0)) fail(field, value, rule);
}

void require_positive(const char* field, const Eigen::Vector2d& values, const char* rule) {
  if (!(values.allFinite() && values.minCoeff() > 0.0)) fail_vector(field, values, rule);
}

void require_joint_count(const char* field, const JointVector& values, Eigen::Index joints) {
  if (values.size() == joints && values.allFinite()) return;
  std::ostringstream rule;
  rule << "must be " << joints << " finite numbers, one per joint (joints = " << joints << ")";
  fail_vector(field, values, rule.str().c_str());
}

void validate_joints(const ControllerConfig& config) {
  const Eigen::Index n = config.joints;
  if (n < 1 || n > kMaxJoints) fail("joints", n, "must be 1 to 8, e.g. 7 for a Panda");
  require_joint_count("effort_limits", config.effort_limits, n);
  if (config.effort_limits.minCoeff() <= 0.0) {
    fail_vector("effort_limits", config.effort_limits,
                "must be above 0 Nm, e.g. 87 for a Panda's first joint");
  }
  require_joint_count("joint_lower", config.joint_lower, n);
  require_joint_count("joint_upper", config.joint_upper, n);
  if (((config.joint_upper - config.joint_lower).array() <= 0.0).any()) {
    fail_vector("joint_lower", config.joint_lower, "must be below joint_upper for every joint (rad)");
  }
  if (config.max_effort_rate.size() != 1) require_joint_count("max_effort_rate", config.max_effort_rate, n);
  if (!config.max_effort_rate.allFinite() || config.max_effort_rate.minCoeff() <= 0.0) {
    fail_vector("max_effort_rate", config.max_effort_rate, "must be above 0 Nm/s, e.g. 1000");
  }
  if (config.nullspace_posture) require_joint_count("nullspace_posture", *config.nullspace_posture, n);
}

void validate_workspace(const ControllerConfig& config) {
  const bool finite = config.workspace_min.allFinite() && config.workspace_max.allFinite();
  if (!finite || ((config.workspace_max - config.workspace_min).array() <= 0.0).any()) {
    std::ostringstream rule;
    rule << "must be finite and below workspace_max = [" << config.workspace_max.transpose()
         << "] on every axis (m)";
    fail_vector("workspace_min", config.workspace_min, rule.str().c_str());
  }
}

}  // namespace

ControllerConfig::ControllerConfig()
    : effort_limits(7), joint_lower(7), joint_upper(7), max_effort_rate(JointVector::Constant(1, 1000.0)) {
  // Franka Panda, "Robot and interface specifications" of the FCI documentation.
  effort_limits << 87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0;
  joint_lower << -2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973;
  joint_upper << 2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973;
}

bool is_valid(const Gains& gains) noexcept {
  return non_negative(gains.stiffness) && (!gains.damping || non_negative(*gains.damping)) &&
         non_negative(gains.damping_ratio) && non_negative(gains.integral) &&
         non_negative(gains.clip_negative) && non_negative(gains.clip_positive) &&
         gains.clip_negative.tail<3>().maxCoeff() <= kPi && gains.clip_positive.tail<3>().maxCoeff() <= kPi;
}

void validate(const Gains& gains) {
  require_non_negative("gains.stiffness", gains.stiffness,
                       "must be finite and not negative, e.g. 2000 N/m, 75 Nm/rad");
  if (gains.damping) {
    require_non_negative("gains.damping", *gains.damping,
                         "must be finite and not negative, e.g. 89 N s/m; leave it out to use damping_ratio");
  }
  require_non_negative("gains.damping_ratio", gains.damping_ratio, "must be finite and not negative, e.g. 1");
  require_non_negative("gains.integral", gains.integral, "must be finite and not negative, e.g. 0 (off)");
  const char* clip_rule =
      "is a magnitude: finite, not negative, rotation at most pi, e.g. 0.0055 m or 0.05 rad";
  require_non_negative("gains.clip_negative", gains.clip_negative, clip_rule);
  require_non_negative("gains.clip_positive", gains.clip_positive, clip_rule);
  if (gains.clip_negative.tail<3>().maxCoeff() > kPi)
    fail_vector("gains.clip_negative", gains.clip_negative, clip_rule);
  if (gains.clip_positive.tail<3>().maxCoeff() > kPi)
    fail_vector("gains.clip_positive", gains.clip_positive, clip_rule);
}

void validate(const ControllerConfig& config) {
  validate_joints(config);
  validate_workspace(config);
  require_positive("max_linear_speed", config.max_linear_speed, "must be above 0 m/s, e.g. 0.25");
  require_positive("max_angular_speed", config.max_angular_speed, "must be above 0 rad/s, e.g. 1.5");
  require_positive("target_timeout", config.target_timeout, "must be above 0 s, e.g. 0.5");
  require_positive("max_period", config.max_period, "must be above 0 s, e.g. 0.01");
  require_positive("wrench_cap", config.wrench_cap, "must be two numbers above 0 (N, Nm), e.g. [40, 10]");
  require_positive("integral_cap", config.integral_cap, "must be two numbers above 0 (N, Nm), e.g. [5, 1]");
  require_positive("nullspace_regularization", config.nullspace_regularization, "must be above 0, e.g. 0.01");
  require_non_negative("reference_time_constant", config.reference_time_constant,
                       "must be 0 s or more, e.g. 0.05");
  require_non_negative("gain_time_constant", config.gain_time_constant, "must be 0 s or more, e.g. 0.2");
  require_non_negative("joint_limit_margin", config.joint_limit_margin, "must be 0 rad or more, e.g. 0.1");
  require_non_negative("joint_limit_effort", config.joint_limit_effort, "must be 0 Nm or more, e.g. 10");
  require_non_negative("nullspace_stiffness", config.nullspace_stiffness,
                       "must be 0 Nm/rad or more, e.g. 10");
  require_non_negative("joint1_nullspace_stiffness", config.joint1_nullspace_stiffness,
                       "must be 0 Nm/rad or more, e.g. 10");
  require_non_negative("nullspace_damping_ratio", config.nullspace_damping_ratio,
                       "must be 0 or more, e.g. 1");
  validate(config.gains);
}

Vector6 resolved_damping(const Gains& gains) noexcept {
  if (gains.damping) return *gains.damping;
  return 2.0 * gains.damping_ratio.cwiseProduct(gains.stiffness.cwiseSqrt());
}

}  // namespace hilserl_control
