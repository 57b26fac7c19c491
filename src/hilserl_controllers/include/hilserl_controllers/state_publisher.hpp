// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <realtime_tools/realtime_publisher.hpp>
#include <string>

#include "hilserl_control/state.hpp"
#include "hilserl_msgs/msg/cartesian_controller_state.hpp"

namespace hilserl_controllers {

/// Publishes ~/controller_state from the real-time thread every `divisor` cycles.
class StatePublisher {
 public:
  StatePublisher(rclcpp_lifecycle::LifecycleNode& node, const std::string& base_frame, Eigen::Index joints,
                 int divisor);

  void reset() noexcept { cycle_ = 0; }
  /// One cycle. Does not allocate or block: when the last message is still on its way, this one is dropped.
  void update(const hilserl_control::Measurement& measurement, const hilserl_control::State& state,
              const hilserl_control::Vector6& external_wrench) noexcept;

 private:
  using Message = hilserl_msgs::msg::CartesianControllerState;

  void fill(const hilserl_control::Measurement& measurement, const hilserl_control::State& state,
            const hilserl_control::Vector6& external_wrench) noexcept;

  rclcpp::Clock::SharedPtr clock_;
  int divisor_;
  int cycle_ = 0;
  Message message_;
  std::unique_ptr<realtime_tools::RealtimePublisher<Message>> publisher_;
};

}  // namespace hilserl_controllers
