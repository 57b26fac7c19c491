// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/state_publisher.hpp"

#include <algorithm>
#include <rclcpp/rclcpp.hpp>

namespace hilserl_controllers {

namespace {

constexpr const char* kStateTopic = "~/controller_state";

using hilserl_control::Vector6;
using Message = hilserl_msgs::msg::CartesianControllerState;

static_assert(hilserl_control::kClip == Message::LIMIT_CLIP);
static_assert(hilserl_control::kWorkspace == Message::LIMIT_WORKSPACE);
static_assert(hilserl_control::kSpeed == Message::LIMIT_SPEED);
static_assert(hilserl_control::kWrenchCap == Message::LIMIT_WRENCH_CAP);
static_assert(hilserl_control::kInvalidTarget == Message::LIMIT_INVALID_TARGET);
static_assert(hilserl_control::kWrenchLimit == Message::LIMIT_WRENCH);
static_assert(hilserl_control::kWrenchRate == Message::LIMIT_WRENCH_RATE);
static_assert(hilserl_control::kWall == Message::LIMIT_WALL);
static_assert(hilserl_control::kEffort == Message::JOINT_LIMIT_EFFORT);
static_assert(hilserl_control::kRate == Message::JOINT_LIMIT_RATE);
static_assert(hilserl_control::kJointLimit == Message::JOINT_LIMIT_POSITION);

void copy(const hilserl_control::Pose& pose, geometry_msgs::msg::Pose& message) noexcept {
  message.position.x = pose.position[0];
  message.position.y = pose.position[1];
  message.position.z = pose.position[2];
  message.orientation.x = pose.orientation.x();
  message.orientation.y = pose.orientation.y();
  message.orientation.z = pose.orientation.z();
  message.orientation.w = pose.orientation.w();
}

void copy(const Vector6& values, geometry_msgs::msg::Vector3& first,
          geometry_msgs::msg::Vector3& second) noexcept {
  first.x = values[0];
  first.y = values[1];
  first.z = values[2];
  second.x = values[3];
  second.y = values[4];
  second.z = values[5];
}

}  // namespace

StatePublisher::StatePublisher(rclcpp_lifecycle::LifecycleNode& node, const std::string& base_frame,
                               Eigen::Index joints, int divisor)
    : clock_(node.get_clock()), divisor_(divisor) {
  message_.header.frame_id = base_frame;
  const auto count = static_cast<std::size_t>(joints);
  message_.joint_position.resize(count);
  message_.joint_velocity.resize(count);
  message_.joint_effort.resize(count);
  message_.joint_limit_flags.resize(count);
  // Not a lifecycle publisher: RealtimePublisher sends from its own thread, and nothing is sent while
  // inactive.
  publisher_ = std::make_unique<realtime_tools::RealtimePublisher<Message>>(
      rclcpp::create_publisher<Message>(node, kStateTopic, rclcpp::SensorDataQoS()));
}

void StatePublisher::update(const hilserl_control::Measurement& measurement,
                            const hilserl_control::State& state, const Vector6& external_wrench) noexcept {
  if (cycle_++ % divisor_ != 0) return;
  fill(measurement, state, external_wrench);
  static_cast<void>(publisher_->try_publish(message_));
}

void StatePublisher::fill(const hilserl_control::Measurement& measurement,
                          const hilserl_control::State& state, const Vector6& external_wrench) noexcept {
  // The time that update() gets is of a steady clock; a stamp needs the node's.
  message_.header.stamp = clock_->now();
  copy(measurement.pose, message_.pose);
  copy(measurement.twist, message_.twist.linear, message_.twist.angular);
  copy(state.reference, message_.reference);
  std::copy_n(state.error.data(), 6, message_.error.begin());
  std::copy_n(state.error_clipped.data(), 6, message_.error_clipped.begin());
  std::copy_n(state.push_negative.data(), 6, message_.push_negative.begin());
  std::copy_n(state.push_positive.data(), 6, message_.push_positive.begin());
  copy(external_wrench, message_.external_wrench.force, message_.external_wrench.torque);
  copy(state.wrench, message_.commanded_wrench.force, message_.commanded_wrench.torque);
  const auto count = static_cast<std::ptrdiff_t>(message_.joint_position.size());
  std::copy_n(measurement.q.data(), count, message_.joint_position.begin());
  std::copy_n(measurement.dq.data(), count, message_.joint_velocity.begin());
  std::copy_n(state.effort.data(), count, message_.joint_effort.begin());
  message_.target_age = state.target_age;
  message_.mode = static_cast<std::uint8_t>(state.mode);
  message_.holding = state.holding;
  message_.wrench_stale = state.wrench_stale;
  std::copy(state.limit_flags.begin(), state.limit_flags.end(), message_.limit_flags.begin());
  std::copy_n(state.joint_limit_flags.begin(), count, message_.joint_limit_flags.begin());
}

}  // namespace hilserl_controllers
