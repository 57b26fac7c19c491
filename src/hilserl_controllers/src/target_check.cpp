// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <sstream>

#include "hilserl_control/target_buffer.hpp"
#include "hilserl_controllers/target_inbox.hpp"

namespace hilserl_controllers {

namespace {

using hilserl_control::Mode;
using hilserl_control::Target;
using hilserl_control::WrenchFrame;
using hilserl_msgs::msg::CartesianTarget;

static_assert(static_cast<int>(Mode::kPose) == CartesianTarget::MODE_POSE);
static_assert(static_cast<int>(Mode::kTwist) == CartesianTarget::MODE_TWIST);
static_assert(static_cast<int>(Mode::kWrench) == CartesianTarget::MODE_WRENCH);
static_assert(static_cast<int>(Mode::kPoseAndWrench) == CartesianTarget::MODE_POSE_AND_WRENCH);
static_assert(static_cast<int>(WrenchFrame::kBase) == CartesianTarget::WRENCH_FRAME_BASE);
static_assert(static_cast<int>(WrenchFrame::kTcp) == CartesianTarget::WRENCH_FRAME_TCP);

/// Clocks of two machines under NTP differ by less.
constexpr double kClockTolerance = 0.1;  // s

template <typename Value>
std::string problem(const char* field, const Value& value, const std::string& rule) {
  std::ostringstream text;
  text << field << " is " << value << ": " << rule;
  return text.str();
}

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

hilserl_control::Vector6 six(const geometry_msgs::msg::Vector3& linear,
                             const geometry_msgs::msg::Vector3& angular) {
  return (hilserl_control::Vector6() << linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
      .finished();
}

std::string frame_problem(const std::string& frame, const TargetRules& rules) {
  if (frame == rules.base_frame) return {};
  return problem("header.frame_id", quoted(frame), "must be the base frame " + quoted(rules.base_frame));
}

std::string read_pose(const geometry_msgs::msg::Pose& message, Target& target) {
  const auto& p = message.position;
  const auto& o = message.orientation;
  target.pose.position << p.x, p.y, p.z;
  target.pose.orientation = hilserl_control::Quaternion(o.w, o.x, o.y, o.z);
  std::ostringstream value;
  if (!target.pose.position.allFinite()) {
    value << "[" << target.pose.position.transpose() << "]";
    return problem("pose.position", value.str(), "must be finite (m)");
  }
  if (!hilserl_control::is_valid(target.pose)) {
    value << "[" << target.pose.orientation.coeffs().transpose() << "]";
    return problem("pose.orientation (x y z w)", value.str(), "must be finite and of length 1");
  }
  return {};
}

std::string read_six(const char* field, const hilserl_control::Vector6& given,
                     hilserl_control::Vector6& goal) {
  goal = given;
  if (goal.allFinite()) return {};
  std::ostringstream value;
  value << "[" << goal.transpose() << "]";
  return problem(field, value.str(), "must be finite");
}

double timeout_of(const Target& target, const TargetRules& rules) {
  if (hilserl_control::uses_pose(target.mode)) return rules.pose_timeout;
  return hilserl_control::uses_twist(target.mode) ? rules.twist_timeout : rules.wrench_timeout;
}

}  // namespace

CheckedTarget check(const CartesianTarget& message, const TargetRules& rules) {
  CheckedTarget checked;
  checked.problem = frame_problem(message.header.frame_id, rules);
  if (!checked.problem.empty()) return checked;
  if (message.mode > CartesianTarget::MODE_POSE_AND_WRENCH) {
    checked.problem = problem("mode", static_cast<int>(message.mode),
                              "must be MODE_POSE 0, MODE_TWIST 1, MODE_WRENCH 2 or MODE_POSE_AND_WRENCH 3");
    return checked;
  }
  if (message.wrench_frame > CartesianTarget::WRENCH_FRAME_TCP) {
    checked.problem = problem("wrench_frame", static_cast<int>(message.wrench_frame),
                              "must be WRENCH_FRAME_BASE 0 or WRENCH_FRAME_TCP 1");
    return checked;
  }
  Target& target = checked.target;
  target.mode = static_cast<Mode>(message.mode);
  target.wrench_frame = static_cast<WrenchFrame>(message.wrench_frame);
  if (hilserl_control::uses_pose(target.mode)) checked.problem = read_pose(message.pose, target);
  if (checked.problem.empty() && hilserl_control::uses_twist(target.mode))
    checked.problem = read_six("twist", six(message.twist.linear, message.twist.angular), target.twist);
  if (checked.problem.empty() && hilserl_control::uses_wrench(target.mode))
    checked.problem = read_six("wrench", six(message.wrench.force, message.wrench.torque), target.wrench);
  return checked;
}

CheckedTarget check(const geometry_msgs::msg::PoseStamped& message, const TargetRules& rules) {
  CheckedTarget checked;
  checked.target.mode = Mode::kPose;
  checked.problem = frame_problem(message.header.frame_id, rules);
  if (checked.problem.empty()) checked.problem = read_pose(message.pose, checked.target);
  return checked;
}

CheckedTarget check(const geometry_msgs::msg::WrenchStamped& message, const TargetRules& rules) {
  CheckedTarget checked;
  checked.target.mode = Mode::kWrench;
  if (message.header.frame_id == rules.base_frame) {
    checked.target.wrench_frame = WrenchFrame::kBase;
  } else if (message.header.frame_id == rules.end_effector_frame) {
    checked.target.wrench_frame = WrenchFrame::kTcp;
  } else {
    checked.problem = problem("header.frame_id", quoted(message.header.frame_id),
                              "must be the base frame " + quoted(rules.base_frame) +
                                  " or the end-effector frame " + quoted(rules.end_effector_frame));
    return checked;
  }
  checked.problem =
      read_six("wrench", six(message.wrench.force, message.wrench.torque), checked.target.wrench);
  return checked;
}

std::optional<double> check_age(const rclcpp::Time& now, const builtin_interfaces::msg::Time& stamp,
                                const Target& target, const TargetRules& rules, std::string& reason) {
  if (stamp.sec == 0 && stamp.nanosec == 0) return 0.0;
  if (stamp.sec < 0) {
    reason = problem("header.stamp.sec", stamp.sec, "must not be negative");
    return std::nullopt;
  }
  const double age =
      1e-9 * static_cast<double>(now.nanoseconds() - rclcpp::Time(stamp, now.get_clock_type()).nanoseconds());
  if (age < -kClockTolerance) {
    reason = problem("header.stamp", std::to_string(-age) + " s ahead",
                     "must not be in the future; are the clocks of both machines synchronized?");
    return std::nullopt;
  }
  const double timeout = timeout_of(target, rules);
  if (age > timeout) {
    reason = problem("header.stamp", std::to_string(age) + " s old",
                     "must be younger than " + std::to_string(timeout) + " s");
    return std::nullopt;
  }
  return age > 0.0 ? age : 0.0;
}

}  // namespace hilserl_controllers
