// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <geometry_msgs/msg/wrench_stamped.hpp>
#include <memory>
#include <optional>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <realtime_tools/realtime_thread_safe_box.hpp>
#include <string>

#include "hilserl_control/types.hpp"
#include "hilserl_msgs/msg/cartesian_target.hpp"

namespace hilserl_controllers {

/// What a target must name and how old it may be.
struct TargetRules {
  std::string base_frame;
  std::string end_effector_frame;
  double pose_timeout = 0.5;    ///< s
  double twist_timeout = 0.2;   ///< s
  double wrench_timeout = 0.2;  ///< s
};

/// A checked target on its way into update(): one value, so that no field can belong to another message.
struct ReceivedTarget {
  std::uint64_t number = 0;        ///< counts messages; 0: none yet
  std::uint64_t activation = 0;    ///< in which activation it arrived
  double age = 0.0;                ///< s since its stamp, when it arrived
  hilserl_control::Target target;  ///< its stamp is set by update(), on update()'s own time
};

/// ROS message to target. A message that breaks a rule gives the reason instead.
struct CheckedTarget {
  hilserl_control::Target target;
  std::string problem;  ///< empty: good. Else names field, value and rule
};
CheckedTarget check(const hilserl_msgs::msg::CartesianTarget& message, const TargetRules& rules);
CheckedTarget check(const geometry_msgs::msg::PoseStamped& message, const TargetRules& rules);
CheckedTarget check(const geometry_msgs::msg::WrenchStamped& message, const TargetRules& rules);

/// Age in s of `stamp` at `now`; no stamp (zero) means now. nullopt with the reason in `problem` when the
/// target is too old, or from a future that only a wrong clock explains.
std::optional<double> check_age(const rclcpp::Time& now, const builtin_interfaces::msg::Time& stamp,
                                const hilserl_control::Target& target, const TargetRules& rules,
                                std::string& problem);

/// Subscribes ~/target, ~/target_pose and ~/target_wrench. Whatever arrives is checked in the callback; what
/// is bad, or arrives while the controller is not active, is dropped and the last target stays. Bad messages
/// are reported at most once a second.
class TargetInbox {
 public:
  TargetInbox(rclcpp_lifecycle::LifecycleNode& node, const TargetRules& rules);

  /// From now on targets are accepted; everything received before is forgotten.
  void open();
  /// From now on targets are dropped.
  void close() noexcept { activation_.store(0); }

  /// Real-time thread: the newest target that has not been taken yet. Never blocks: when the box is being
  /// written, it comes in the next cycle.
  std::optional<ReceivedTarget> take();

 private:
  template <typename Message>
  void receive(const Message& message);
  void refuse(const std::string& problem);
  void warn_about_rivals();

  rclcpp::Logger logger_;
  rclcpp::Clock::SharedPtr clock_;
  TargetRules rules_;
  std::atomic<std::uint64_t> activation_{0};  ///< 0: not active
  std::uint64_t activations_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t taken_ = 0;
  realtime_tools::RealtimeThreadSafeBox<ReceivedTarget> box_;
  rclcpp::Subscription<hilserl_msgs::msg::CartesianTarget>::SharedPtr target_;
  rclcpp::Subscription<geometry_msgs::msg::PoseStamped>::SharedPtr pose_;
  rclcpp::Subscription<geometry_msgs::msg::WrenchStamped>::SharedPtr wrench_;
};

}  // namespace hilserl_controllers
