// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/target_inbox.hpp"

#include <rclcpp/rclcpp.hpp>

namespace hilserl_controllers {

namespace {
constexpr const char* kTargetTopic = "~/target";
constexpr const char* kPoseTopic = "~/target_pose";
constexpr const char* kWrenchTopic = "~/target_wrench";
constexpr int kWarningPeriod = 1000;  // ms
}  // namespace

TargetInbox::TargetInbox(rclcpp_lifecycle::LifecycleNode& node, const TargetRules& rules)
    : logger_(node.get_logger()), clock_(node.get_clock()), rules_(rules) {
  const auto newest = rclcpp::QoS(1).reliable();
  target_ = node.create_subscription<hilserl_msgs::msg::CartesianTarget>(
      kTargetTopic, newest, [this](const hilserl_msgs::msg::CartesianTarget& message) { receive(message); });
  pose_ = node.create_subscription<geometry_msgs::msg::PoseStamped>(
      kPoseTopic, newest, [this](const geometry_msgs::msg::PoseStamped& message) { receive(message); });
  wrench_ = node.create_subscription<geometry_msgs::msg::WrenchStamped>(
      kWrenchTopic, newest, [this](const geometry_msgs::msg::WrenchStamped& message) { receive(message); });
}

void TargetInbox::open() {
  box_.set(ReceivedTarget{});
  taken_ = 0;
  activation_.store(++activations_);
}

std::optional<ReceivedTarget> TargetInbox::take() {
  const std::optional<ReceivedTarget> received = box_.try_get();
  if (!received || received->number == 0 || received->number == taken_) return std::nullopt;
  // A callback may have been on its way while the controller went inactive and active again.
  if (received->activation != activation_.load()) return std::nullopt;
  taken_ = received->number;
  return received;
}

template <typename Message>
void TargetInbox::receive(const Message& message) {
  const std::uint64_t activation = activation_.load();
  if (activation == 0) return;
  warn_about_rivals();
  CheckedTarget checked = check(message, rules_);
  if (!checked.problem.empty()) return refuse(checked.problem);
  const auto age = check_age(clock_->now(), message.header.stamp, checked.target, rules_, checked.problem);
  if (!age) return refuse(checked.problem);
  box_.set(ReceivedTarget{++received_, activation, *age, checked.target});
}

void TargetInbox::refuse(const std::string& problem) {
  RCLCPP_WARN_THROTTLE(logger_, *clock_, kWarningPeriod, "target refused, the last one stays: %s",
                       problem.c_str());
}

/// Two publishers that take turns shake the arm; the last message wins, so say who could be fighting.
void TargetInbox::warn_about_rivals() {
  const std::size_t publishers =
      target_->get_publisher_count() + pose_->get_publisher_count() + wrench_->get_publisher_count();
  if (publishers > 1) {
    RCLCPP_WARN_THROTTLE(logger_, *clock_, 10 * kWarningPeriod,
                         "%zu publishers of targets: the last message wins, one publisher is meant",
                         publishers);
  }
}

}  // namespace hilserl_controllers
