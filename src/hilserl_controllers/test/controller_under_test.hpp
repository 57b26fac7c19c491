// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cmath>
#include <controller_interface/controller_interface.hpp>
#include <controller_interface/controller_interface_params.hpp>
#include <controller_interface/test_utils.hpp>
#include <hardware_interface/handle.hpp>
#include <hardware_interface/loaned_command_interface.hpp>
#include <hardware_interface/loaned_state_interface.hpp>
#include <limits>
#include <map>
#include <memory>
#include <rclcpp/executors/single_threaded_executor.hpp>
#include <rclcpp/rclcpp.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arm_description.hpp"
#include "hilserl_msgs/msg/cartesian_controller_state.hpp"

namespace hilserl_controllers::testing {

inline std::vector<rclcpp::Parameter> merged(std::vector<rclcpp::Parameter> base,
                                             const std::vector<rclcpp::Parameter>& changed) {
  for (const auto& parameter : changed) {
    bool found = false;
    for (auto& old : base) {
      if (old.get_name() != parameter.get_name()) continue;
      old = parameter;
      found = true;
    }
    if (!found) base.push_back(parameter);
  }
  return base;
}

/// A controller with hand-made interfaces for the arm of arm_description() and, where asked for, a
/// force-torque sensor "ft"; plus a node that talks to it by topics.
template <typename Controller>
class ControllerUnderTest {
 public:
  using State = hilserl_msgs::msg::CartesianControllerState;

  explicit ControllerUnderTest(const std::string& command) : controller_(std::make_unique<Controller>()) {
    const std::vector<double> ready = {0.1, -0.4, 0.2, -2.1, 0.3, 1.8, 0.6};
    for (std::size_t i = 0; i < arm_joints().size(); ++i) {
      const std::string& joint = arm_joints()[i];
      add_state(joint, "position", ready[i]);
      add_state(joint, "velocity", 0.0);
      auto handle = std::make_shared<hardware_interface::CommandInterface>(joint, command);
      std::ignore = handle->set_value(std::numeric_limits<double>::quiet_NaN());
      commands_.push_back(handle);
    }
    for (const char* axis : {"force.x", "force.y", "force.z", "torque.x", "torque.y", "torque.z"})
      add_state("ft", axis, 0.0);
  }

  ~ControllerUnderTest() {
    if (active_) deactivate();
    controller_->release_interfaces();
  }

  bool init(const std::string& description, const std::vector<rclcpp::Parameter>& parameters) {
    controller_interface::ControllerInterfaceParams params;
    params.controller_name = "cartesian_controller";
    params.robot_description = description;
    params.update_rate = params.controller_manager_update_rate = 1000;
    params.node_options = controller_->define_custom_node_options();
    params.node_options.parameter_overrides() = parameters;
    if (controller_->init(params) != controller_interface::return_type::OK) return false;
    executor_.add_node(controller_->get_node()->get_node_base_interface());
    executor_.add_node(peer_);
    states_ = peer_->create_subscription<State>("cartesian_controller/controller_state",
                                                rclcpp::SensorDataQoS(), [this](const State& state) {
                                                  state_ = state;
                                                  ++states_received_;
                                                });
    return true;
  }

  bool configure() { return controller_interface::configure_succeeds(controller_); }
  bool cleanup() { return controller_interface::cleanup_succeeds(controller_); }

  bool activate() {
    assign();
    active_ = controller_interface::activate_succeeds(controller_);
    return active_;
  }

  bool deactivate() {
    active_ = false;
    return controller_interface::deactivate_succeeds(controller_);
  }

  bool update(double period) {
    const auto result =
        controller_->update(rclcpp::Time(1, 0, RCL_STEADY_TIME), rclcpp::Duration::from_seconds(period));
    return result == controller_interface::return_type::OK;
  }

  void set_state(const std::string& name, double value) {
    std::ignore = states_by_name_.at(name)->set_value(value);
  }
  double command(std::size_t joint) const {
    return commands_[joint]->template get_optional<double>().value();
  }

  double command_norm() const {
    double sum = 0.0;
    for (std::size_t i = 0; i < commands_.size(); ++i) sum += command(i) * command(i);
    return std::sqrt(sum);
  }

  /// Publishes and lets the controller's callbacks run. Waits until it is connected.
  template <typename Message>
  void send(const std::string& topic, const Message& message) {
    auto publisher = std::static_pointer_cast<rclcpp::Publisher<Message>>(publishers_[topic]);
    if (!publisher) {
      publisher =
          peer_->create_publisher<Message>("cartesian_controller/" + topic, rclcpp::QoS(1).reliable());
      publishers_[topic] = publisher;
      wait([&] { return publisher->get_subscription_count() > 0; });
    }
    publisher->publish(message);
    spin(std::chrono::milliseconds(60));
  }

  /// The state after one more update.
  State newest_state() {
    wait([this] { return states_->get_publisher_count() > 0; });
    const auto before = states_received_;
    wait([this, before] {
      update(0.0);
      return states_received_ > before;
    });
    // What was still on its way is of an earlier cycle.
    update(0.0);
    spin(std::chrono::milliseconds(30));
    return state_;
  }

  void spin(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      executor_.spin_some();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  template <typename Condition>
  void wait(const Condition& condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) {
      executor_.spin_some();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  Controller& controller() { return *controller_; }
  rclcpp::Node& peer() { return *peer_; }
  rclcpp::Executor& executor() { return executor_; }

 private:
  void add_state(const std::string& name, const std::string& interface, double value) {
    auto handle = std::make_shared<hardware_interface::StateInterface>(name, interface);
    std::ignore = handle->set_value(value);
    states_by_name_[name + "/" + interface] = handle;
  }

  void assign() {
    std::vector<hardware_interface::LoanedCommandInterface> commands;
    for (const auto& name : controller_->command_interface_configuration().names) {
      for (const auto& handle : commands_)
        if (handle->get_name() == name) commands.emplace_back(handle, nullptr);
    }
    std::vector<hardware_interface::LoanedStateInterface> states;
    for (const auto& name : controller_->state_interface_configuration().names) {
      const auto found = states_by_name_.find(name);
      if (found != states_by_name_.end())
        states.emplace_back(std::const_pointer_cast<const hardware_interface::StateInterface>(found->second));
    }
    controller_->assign_interfaces(std::move(commands), std::move(states));
  }

  std::unique_ptr<Controller> controller_;
  std::vector<hardware_interface::CommandInterface::SharedPtr> commands_;
  std::map<std::string, hardware_interface::StateInterface::SharedPtr> states_by_name_;
  rclcpp::Node::SharedPtr peer_ = std::make_shared<rclcpp::Node>("peer");
  rclcpp::executors::SingleThreadedExecutor executor_;
  std::map<std::string, std::shared_ptr<void>> publishers_;
  rclcpp::Subscription<State>::SharedPtr states_;
  State state_;
  std::size_t states_received_ = 0;
  bool active_ = false;
};

}  // namespace hilserl_controllers::testing
