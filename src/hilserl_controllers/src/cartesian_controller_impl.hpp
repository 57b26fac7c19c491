// SPDX-License-Identifier: Apache-2.0
// Member functions of CartesianController. Included by a plugin's source after the header that reads its
// parameters (law_config, arm_frames).
#pragma once

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "common_settings.hpp"
#include "hilserl_controllers/cartesian_controller.hpp"
#include "parameter_changes.hpp"

namespace hilserl_controllers {

// -- Life cycle

template <typename Kind>
controller_interface::InterfaceConfiguration CartesianController<Kind>::command_interface_configuration()
    const {
  return {controller_interface::interface_configuration_type::INDIVIDUAL, joints_->command_names()};
}

template <typename Kind>
controller_interface::InterfaceConfiguration CartesianController<Kind>::state_interface_configuration()
    const {
  std::vector<std::string> names = joints_->state_names();
  const auto append = [&names](const std::vector<std::string>& more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  if (sensor_) append(sensor_->state_names());
  if (dynamics_) append(dynamics_->state_names());
  return {controller_interface::interface_configuration_type::INDIVIDUAL, names};
}

template <typename Kind>
controller_interface::CallbackReturn CartesianController<Kind>::on_init() {
  try {
    declare_parameters();
  } catch (const std::exception&) {
    // Said by on_configure, the step at which a person looks for it.
  }
  return controller_interface::CallbackReturn::SUCCESS;
}

template <typename Kind>
controller_interface::CallbackReturn CartesianController<Kind>::on_configure(
    const rclcpp_lifecycle::State& /*previous*/) {
  try {
    declare_parameters();
    params_ = listener_->get_params();
    build();
  } catch (const std::exception& error) {
    RCLCPP_ERROR(get_node()->get_logger(), "not configured: %s", error.what());
    tear_down();
    return controller_interface::CallbackReturn::FAILURE;
  }
  return controller_interface::CallbackReturn::SUCCESS;
}

template <typename Kind>
controller_interface::CallbackReturn CartesianController<Kind>::on_activate(
    const rclcpp_lifecycle::State& /*previous*/) {
  try {
    attach_interfaces();
    start_law();
  } catch (const std::exception& error) {
    RCLCPP_ERROR(get_node()->get_logger(), "not activated: %s", error.what());
    return controller_interface::CallbackReturn::FAILURE;
  }
  publisher_->reset();
  inbox_->open();
  return controller_interface::CallbackReturn::SUCCESS;
}

template <typename Kind>
controller_interface::CallbackReturn CartesianController<Kind>::on_deactivate(
    const rclcpp_lifecycle::State& /*previous*/) {
  inbox_->close();
  let_go();
  joints_->detach();
  if (sensor_) sensor_->detach();
  if (dynamics_) dynamics_->detach();
  return controller_interface::CallbackReturn::SUCCESS;
}

template <typename Kind>
controller_interface::CallbackReturn CartesianController<Kind>::on_cleanup(
    const rclcpp_lifecycle::State& /*previous*/) {
  tear_down();
  return controller_interface::CallbackReturn::SUCCESS;
}

template <typename Kind>
controller_interface::return_type CartesianController<Kind>::update(const rclcpp::Time& /*time*/,
                                                                    const rclcpp::Duration& period) {
  count_time(period);
  read_interfaces();
  measure();
  take_profiles();
  take_target();
  law_->update(measurement_);
  write_command();
  publish_state();
  return controller_interface::return_type::OK;
}

// -- Configuration

template <typename Kind>
void CartesianController<Kind>::declare_parameters() {
  if (!listener_) listener_ = std::make_shared<ParamListener>(get_node());
}

template <typename Kind>
void CartesianController<Kind>::build() {
  model_ = std::make_unique<ArmModel>(get_robot_description(), arm_frames(params_));
  joints_ = std::make_unique<JointInterfaces>(params_.joints, Kind::kCommand);
  law_ = std::make_unique<typename Kind::Law>(law_config(params_, model_->limits()));
  measurement_ = typename Kind::Measurement{};
  measurement_.q = dq_ = JointVector::Zero(model_->joints());
  measurement_.jacobian = Jacobian::Zero(6, model_->joints());
  build_arm();
  build_sensor();
  build_topics();
  serve_parameter_changes();
}

template <typename Kind>
void CartesianController<Kind>::build_sensor() {
  sensor_.reset();
  external_wrench_.setConstant(std::numeric_limits<double>::quiet_NaN());
  const auto& given = params_.force_torque_sensor;
  if (given.name.empty()) return;
  const std::string& frame = given.frame.empty() ? params_.end_effector_frame : given.frame;
  const Pose tcp_T_sensor = model_->fixed_on_end_effector(frame, "force_torque_sensor.frame");
  sensor_ = std::make_unique<WrenchSensor>(*get_node(), given.name, tcp_T_sensor, given.filter_time_constant);
}

template <typename Kind>
void CartesianController<Kind>::build_topics() {
  publisher_ = std::make_unique<StatePublisher>(*get_node(), params_.base_frame, model_->joints(),
                                                static_cast<int>(params_.state_publish_divisor));
  inbox_ = std::make_unique<TargetInbox>(*get_node(), target_rules(params_));
}

template <typename Kind>
void CartesianController<Kind>::serve_parameter_changes() {
  changes_ =
      std::make_unique<ProfileChanges>(*get_node(), [this](const std::vector<rclcpp::Parameter>& changed) {
        return profiles(with_changes(listener_->get_params(), changed));
      });
  listener_->setUserCallback([this](const Params& changed) { changes_->use(profiles(changed)); });
}

template <typename Kind>
void CartesianController<Kind>::tear_down() {
  if (listener_) listener_->clearUserCallback();
  changes_.reset();
  inbox_.reset();
  publisher_.reset();
  sensor_.reset();
  law_.reset();
  dynamics_.reset();
  joints_.reset();
  model_.reset();
}

// -- Activation

template <typename Kind>
void CartesianController<Kind>::attach_interfaces() {
  std::string missing;
  if (!joints_->attach(command_interfaces_, state_interfaces_, missing))
    throw std::runtime_error("interface '" + missing + "' is not there");
  if (sensor_ && !sensor_->attach(state_interfaces_))
    throw std::runtime_error("the state interfaces of force_torque_sensor '" +
                             params_.force_torque_sensor.name + "' are not there");
  if (dynamics_ && !dynamics_->attach(state_interfaces_))
    throw std::runtime_error("the state interfaces of dynamics.source are not there");
}

template <typename Kind>
void CartesianController<Kind>::start_law() {
  measurement_.now = 0.0;
  measurement_.q.setConstant(std::numeric_limits<double>::quiet_NaN());
  dq_ = measurement_.q;
  joints_->read(measurement_.q, dq_);
  if (!measurement_.q.allFinite()) throw std::runtime_error("the joint positions are not finite");
  model_->update_kinematics(measurement_.q);
  take_profiles();
  law_->reset(measurement_.q, model_->pose(), measurement_.now);
}

// -- One cycle

/// Time since activation, by the periods: the clock of update() is steady, the stamps of targets are not.
template <typename Kind>
void CartesianController<Kind>::count_time(const rclcpp::Duration& period) noexcept {
  measurement_.dt = period.seconds();
  measurement_.now += std::max(measurement_.dt, 0.0);
}

template <typename Kind>
void CartesianController<Kind>::read_interfaces() noexcept {
  joints_->read(measurement_.q, dq_);
  if (sensor_) external_wrench_ = sensor_->update(measurement_.dt);
}

template <typename Kind>
void CartesianController<Kind>::take_profiles() noexcept {
  changes_->hand_to(*law_);
}

template <typename Kind>
void CartesianController<Kind>::take_target() noexcept {
  auto received = inbox_->take();
  if (!received) return;
  received->target.stamp = measurement_.now - received->age;
  law_->set_target(received->target);
}

/// An interface that is being written by someone else refuses; the next cycle writes again.
template <typename Kind>
void CartesianController<Kind>::write_command() noexcept {
  static_cast<void>(joints_->write(command()));
}

template <typename Kind>
void CartesianController<Kind>::publish_state() noexcept {
  publisher_->update(measured_arm(), law_->state(), external_wrench_);
}

}  // namespace hilserl_controllers
