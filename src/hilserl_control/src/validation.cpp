// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>

#include "hilserl_control/config.hpp"

namespace hilserl_control {

namespace {

constexpr double kPi = 3.14159265358979323846;

template <typename Value>
[[noreturn]] void fail(const std::string& field, const Value& value, const char* rule) {
  std::ostringstream text;
  text << field << " is " << value << ": " << rule;
  throw std::invalid_argument(text.str());
}

template <typename Derived>
[[noreturn]] void fail_vector(const std::string& field, const Eigen::MatrixBase<Derived>& value,
                              const char* rule) {
  std::ostringstream text;
  text << "[" << value.transpose() << "]";
  fail(field, text.str(), rule);
}

bool non_negative(const Vector6& values) noexcept {
  return values.allFinite() && values.minCoeff() >= 0.0;
}

void require_non_negative(const std::string& field, const Vector6& values, const char* rule) {
  if (!non_negative(values)) fail_vector(field, values, rule);
}

void require_positive(const char* field, double value, const char* rule) {
  if (!(std::isfinite(value) && value > 0.0)) fail(field, value, rule);
}

void require_non_negative(const char* field, double value, const char* rule) {
  if (!(std::isfinite(value) && value >= 0.0)) fail(field, value, rule);
}

void require_non_negative(const std::string& field, const Eigen::Vector2d& values, const char* rule) {
  if (!(values.allFinite() && values.minCoeff() >= 0.0)) fail_vector(field, values, rule);
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

void require_clip(const std::string& field, const Vector6& clip) {
  const char* rule = "is a magnitude: finite, not negative, rotation at most pi, e.g. 0.0055 m or 0.05 rad";
  require_non_negative(field, clip, rule);
  if (clip.tail<3>().maxCoeff() > kPi) fail_vector(field, clip, rule);
}

void validate_gains(const Gains& gains, const std::string& name) {
  require_non_negative(name + ".stiffness", gains.stiffness,
                       "must be finite and not negative, e.g. 2000 N/m, 75 Nm/rad");
  if (gains.damping) {
    require_non_negative(name + ".damping", *gains.damping,
                         "must be finite and not negative, e.g. 89 N s/m; "
                         "leave it out to use damping_ratio");
  }
  require_non_negative(name + ".damping_ratio", gains.damping_ratio,
                       "must be finite and not negative, e.g. 1");
  require_non_negative(name + ".integral", gains.integral, "must be finite and not negative, e.g. 0 (off)");
  require_clip(name + ".clip_negative", gains.clip_negative);
  require_clip(name + ".clip_positive", gains.clip_positive);
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

void validate_orientation(const OrientationBound& bound) {
  if (!(std::abs(bound.reference.norm() - 1.0) <= 1e-3)) {
    fail_vector("orientation_bound.reference", bound.reference.coeffs(),
                "must be a quaternion x y z w of length 1, e.g. [1, 0, 0, 0] for a tool pointing down");
  }
  const bool finite = bound.minimum.allFinite() && bound.maximum.allFinite();
  if (!finite || bound.minimum.minCoeff() < -kPi || bound.maximum.maxCoeff() > kPi ||
      ((bound.maximum - bound.minimum).array() < 0.0).any()) {
    std::ostringstream rule;
    rule << "must be within -pi and pi and not above orientation_bound.maximum = ["
         << bound.maximum.transpose() << "] on every axis (rad), e.g. [-0.5, -0.5, -0.5]";
    fail_vector("orientation_bound.minimum", bound.minimum, rule.str().c_str());
  }
}

void validate_workspace(const ControllerConfig& config) {
  const bool finite = config.workspace_min.allFinite() && config.workspace_max.allFinite();
  if (!finite || ((config.workspace_max - config.workspace_min).array() <= 0.0).any()) {
    std::ostringstream rule;
    rule << "must be finite and below workspace_max = [" << config.workspace_max.transpose()
         << "] on every axis (m)";
    fail_vector("workspace_min", config.workspace_min, rule.str().c_str());
  }
  if (config.orientation_bound) validate_orientation(*config.orientation_bound);
}

/// The command must not be able to push through a wall.
void validate_walls_hold(const ControllerConfig& config) {
  const Vector6 largest = config.wrench_limit_negative.cwiseMax(config.wrench_limit_positive);
  const bool force_holds = config.wall_cap[0] > largest.head<3>().maxCoeff();
  const bool torque_holds = config.wall_cap[1] > largest.tail<3>().maxCoeff();
  if (force_holds && (torque_holds || !config.orientation_bound)) return;
  std::ostringstream rule;
  rule << "must be above every wrench limit (" << largest.transpose()
       << "), or a commanded wrench pushes through the wall, e.g. [35, 8] for limits of 20 N and 5 Nm";
  fail_vector("wall_cap", config.wall_cap, rule.str().c_str());
}

void validate_wrench(const ControllerConfig& config) {
  const char* limit_rule =
      "is a magnitude per axis: finite, not negative, e.g. 20 N or 5 Nm; 0 forbids the axis";
  require_non_negative("wrench_limit_negative", config.wrench_limit_negative, limit_rule);
  require_non_negative("wrench_limit_positive", config.wrench_limit_positive, limit_rule);
  require_positive("max_wrench_rate", config.max_wrench_rate,
                   "must be two numbers above 0 (N/s, Nm/s), e.g. [300, 75]");
  require_positive("wrench_timeout", config.wrench_timeout, "must be above 0 s, e.g. 0.2");
  require_positive("wall_stiffness", config.wall_stiffness,
                   "must be two numbers above 0 (N/m, Nm/rad), e.g. [2000, 75]");
  require_non_negative("wall_damping", config.wall_damping,
                       "must be two numbers, 0 or more (N s/m, Nm s/rad), e.g. [150, 5]");
  require_positive("wall_margin", config.wall_margin,
                   "must be two numbers above 0 (m, rad), e.g. [0.005, 0.05]");
  require_positive("wall_cap", config.wall_cap, "must be two numbers above 0 (N, Nm), e.g. [35, 8]");
  validate_walls_hold(config);
  validate_wrench_gains(config.wrench_gains);
}

void validate_nullspace(const ControllerConfig& config) {
  if (config.nullspace_mode != NullspaceMode::kNone && config.nullspace_mode != NullspaceMode::kKinematic &&
      config.nullspace_mode != NullspaceMode::kDynamic) {
    fail("nullspace_mode", static_cast<int>(config.nullspace_mode),
         "must be 0 (none), 1 (kinematic) or 2 (dynamic)");
  }
  require_positive("nullspace_regularization", config.nullspace_regularization, "must be above 0, e.g. 0.01");
  require_non_negative("nullspace_stiffness", config.nullspace_stiffness,
                       "must be 0 Nm/rad or more, e.g. 10");
  require_non_negative("joint1_nullspace_stiffness", config.joint1_nullspace_stiffness,
                       "must be 0 Nm/rad or more, e.g. 10");
  require_non_negative("nullspace_damping_ratio", config.nullspace_damping_ratio,
                       "must be 0 or more, e.g. 1");
}

}  // namespace

bool is_valid(const Gains& gains) noexcept {
  return non_negative(gains.stiffness) && (!gains.damping || non_negative(*gains.damping)) &&
         non_negative(gains.damping_ratio) && non_negative(gains.integral) &&
         non_negative(gains.clip_negative) && non_negative(gains.clip_positive) &&
         gains.clip_negative.tail<3>().maxCoeff() <= kPi && gains.clip_positive.tail<3>().maxCoeff() <= kPi;
}

bool is_valid_for_wrench(const Gains& gains) noexcept {
  return is_valid(gains) && (gains.stiffness.cwiseMax(resolved_damping(gains)).array() > 0.0).all();
}

void validate(const Gains& gains) {
  validate_gains(gains, "gains");
}

void validate_wrench_gains(const Gains& gains) {
  validate_gains(gains, "wrench_gains");
  if (is_valid_for_wrench(gains)) return;
  fail_vector("wrench_gains.damping", resolved_damping(gains),
              "must be above 0 on every axis without stiffness, where nothing "
              "else bounds the speed, e.g. 40 N "
              "s/m or 2 Nm s/rad");
}

void validate(const ControllerConfig& config) {
  validate_joints(config);
  validate_workspace(config);
  require_positive("max_linear_speed", config.max_linear_speed, "must be above 0 m/s, e.g. 0.25");
  require_positive("max_angular_speed", config.max_angular_speed, "must be above 0 rad/s, e.g. 1.5");
  require_positive("target_timeout", config.target_timeout, "must be above 0 s, e.g. 0.5");
  require_positive("twist_timeout", config.twist_timeout, "must be above 0 s, e.g. 0.2");
  require_positive("max_period", config.max_period, "must be above 0 s, e.g. 0.01");
  require_positive("wrench_cap", config.wrench_cap, "must be two numbers above 0 (N, Nm), e.g. [40, 10]");
  require_positive("integral_cap", config.integral_cap, "must be two numbers above 0 (N, Nm), e.g. [5, 1]");
  require_non_negative("reference_time_constant", config.reference_time_constant,
                       "must be 0 s or more, e.g. 0.05");
  require_non_negative("gain_time_constant", config.gain_time_constant, "must be 0 s or more, e.g. 0.2");
  require_non_negative("joint_limit_margin", config.joint_limit_margin, "must be 0 rad or more, e.g. 0.1");
  require_non_negative("joint_limit_effort", config.joint_limit_effort, "must be 0 Nm or more, e.g. 10");
  validate_gains(config.gains, "gains");
  validate_wrench(config);
  validate_nullspace(config);
}

}  // namespace hilserl_control
