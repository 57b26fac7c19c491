// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/cartesian_impedance_controller.hpp"

#include <algorithm>
#include <limits>
#include <pluginlib/class_list_macros.hpp>
#include <stdexcept>

#include "impedance_settings.hpp"
#include "parameter_changes.hpp"

namespace hilserl_controllers {

namespace {

using controller_interface::CallbackReturn;
using controller_interface::interface_configuration_type;
using controller_interface::InterfaceConfiguration;
using controller_interface::return_type;
using hilserl_control::JointVector;
using hilserl_control::Vector6;

constexpr const char* kCommand = "effort";

void append(std::vector<std::string>& names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
}

}  // namespace

InterfaceConfiguration CartesianImpedanceController::command_interface_configuration() const {
  return {interface_configuration_type::INDIVIDUAL, joints_->command_names()};
}

InterfaceConfiguration CartesianImpedanceController::state_interface_configuration() const {
  std::vector<std::string> names = joints_->state_names();
  if (sensor_) append(names, sensor_->state_names());
  append(names, dynamics_->state_names());
  return {interface_configuration_type::INDIVIDUAL, names};
}

CallbackReturn CartesianImpedanceController::on_init() {
  try {
    declare_parameters();
  } catch (const std::exception&) {
    // Said by on_configure, the step at which a person looks for it.
  }
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianImpedanceController::on_configure(const rclcpp_lifecycle::State& /*previous*/) {
  try {
    declare_parameters();
    params_ = listener_->get_params();
    build();
  } catch (const std::exception& error) {
    RCLCPP_ERROR(get_node()->get_logger(), "not configured: %s", error.what());
    tear_down();
    return CallbackReturn::FAILURE;
  }
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianImpedanceController::on_activate(const rclcpp_lifecycle::State& /*previous*/) {
  try {
    attach_interfaces();
    start_law();
  } catch (const std::exception& error) {
    RCLCPP_ERROR(get_node()->get_logger(), "not activated: %s", error.what());
    return CallbackReturn::FAILURE;
  }
  publisher_->reset();
  inbox_->open();
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianImpedanceController::on_deactivate(const rclcpp_lifecycle::State& /*previous*/) {
  inbox_->close();
  const bool released = joints_->write(JointVector::Zero(model_->joints()));
  if (!released) RCLCPP_ERROR(get_node()->get_logger(), "an effort interface refused zero effort");
  joints_->detach();
  dynamics_->detach();
  if (sensor_) sensor_->detach();
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianImpedanceController::on_cleanup(const rclcpp_lifecycle::State& /*previous*/) {
  tear_down();
  return CallbackReturn::SUCCESS;
}

return_type CartesianImpedanceController::update(const rclcpp::Time& /*time*/,
                                                 const rclcpp::Duration& period) {
  read_hardware(period);
  take_profiles();
  take_target();
  law_->update(measurement_);
  write_hardware();
  publisher_->update(measurement_, law_->state(), external_wrench_);
  return return_type::OK;
}

// -- Configuration

void CartesianImpedanceController::declare_parameters() {
  if (!listener_) listener_ = std::make_shared<ParamListener>(get_node());
}

void CartesianImpedanceController::build() {
  model_ = std::make_unique<ArmModel>(get_robot_description(), arm_frames(params_));
  dynamics_ = params_.dynamics.source == "franka"
                  ? make_franka_dynamics(params_.dynamics.franka_arm, model_->joints())
                  : make_pinocchio_dynamics(*model_);
  joints_ = std::make_unique<JointInterfaces>(params_.joints, kCommand);
  build_law();
  build_sensor();
  publisher_ = std::make_unique<StatePublisher>(*get_node(), params_.base_frame, model_->joints(),
                                                static_cast<int>(params_.state_publish_divisor));
  inbox_ = std::make_unique<TargetInbox>(*get_node(), target_rules(params_));
  serve_parameter_changes();
}

void CartesianImpedanceController::build_law() {
  law_ = std::make_unique<hilserl_control::CartesianImpedance>(law_config(params_, model_->limits()));
  const Eigen::Index n = model_->joints();
  measurement_ = hilserl_control::Measurement{};
  measurement_.q = measurement_.dq = measurement_.bias = JointVector::Zero(n);
  measurement_.jacobian = hilserl_control::Jacobian::Zero(6, n);
  measurement_.mass = hilserl_control::JointMatrix::Zero(n, n);
  terms_ = {JointVector::Zero(n), JointVector::Zero(n), hilserl_control::JointMatrix::Zero(n, n)};
  profiles_.set(NewProfiles{});
  profile_changes_ = profiles_in_use_ = 0;
}

void CartesianImpedanceController::build_sensor() {
  sensor_.reset();
  external_wrench_.setConstant(std::numeric_limits<double>::quiet_NaN());
  const auto& given = params_.force_torque_sensor;
  if (given.name.empty()) return;
  const std::string& frame = given.frame.empty() ? params_.end_effector_frame : given.frame;
  const Pose tcp_T_sensor = model_->fixed_on_end_effector(frame, "force_torque_sensor.frame");
  sensor_ = std::make_unique<WrenchSensor>(*get_node(), given.name, tcp_T_sensor, given.filter_time_constant);
}

void CartesianImpedanceController::tear_down() {
  change_check_.reset();
  if (listener_) listener_->clearUserCallback();
  inbox_.reset();
  publisher_.reset();
  sensor_.reset();
  law_.reset();
  dynamics_.reset();
  joints_.reset();
  model_.reset();
}

// -- Parameters at run time: gains only, all others are read-only

void CartesianImpedanceController::serve_parameter_changes() {
  change_check_ = get_node()->add_on_set_parameters_callback(
      [this](const std::vector<rclcpp::Parameter>& changed) { return check_change(changed); });
  listener_->setUserCallback([this](const Params& changed) { use_change(changed); });
}

rcl_interfaces::msg::SetParametersResult CartesianImpedanceController::check_change(
    const std::vector<rclcpp::Parameter>& changed) const {
  rcl_interfaces::msg::SetParametersResult result;
  result.successful = true;
  try {
    profiles(with_changes(listener_->get_params(), changed));
  } catch (const std::exception& error) {
    result.successful = false;
    result.reason = error.what();
  }
  return result;
}

void CartesianImpedanceController::use_change(const Params& changed) {
  const Profiles wanted = profiles(changed);  // checked just before
  profiles_.set(NewProfiles{++profile_changes_, wanted.impedance, wanted.wrench});
}

// -- Activation

void CartesianImpedanceController::attach_interfaces() {
  std::string missing;
  if (!joints_->attach(command_interfaces_, state_interfaces_, missing))
    throw std::runtime_error("interface '" + missing + "' is not there");
  if (!dynamics_->attach(state_interfaces_))
    throw std::runtime_error("the state interfaces of dynamics.source '" + params_.dynamics.source +
                             "' are not there");
  if (sensor_ && !sensor_->attach(state_interfaces_))
    throw std::runtime_error("the state interfaces of force_torque_sensor '" +
                             params_.force_torque_sensor.name + "' are not there");
}

void CartesianImpedanceController::start_law() {
  measurement_.now = 0.0;
  measurement_.q.setConstant(std::numeric_limits<double>::quiet_NaN());
  measurement_.dq = measurement_.q;
  joints_->read(measurement_.q, measurement_.dq);
  if (!measurement_.q.allFinite()) throw std::runtime_error("the joint positions are not finite");
  model_->update_kinematics(measurement_.q);
  take_profiles();
  law_->reset(measurement_.q, model_->pose(), measurement_.now);
}

// -- One cycle

void CartesianImpedanceController::read_hardware(const rclcpp::Duration& period) noexcept {
  // Time since activation, by the periods: the clock of update() is steady, the stamps of targets are not.
  const double dt = period.seconds();
  measurement_.dt = dt;
  measurement_.now += std::max(dt, 0.0);
  joints_->read(measurement_.q, measurement_.dq);
  model_->update_kinematics(measurement_.q);
  measurement_.pose = model_->pose();
  measurement_.jacobian = model_->jacobian();
  measurement_.twist = measurement_.jacobian.lazyProduct(measurement_.dq);
  dynamics_->update(measurement_.q, measurement_.dq, terms_);
  measurement_.bias.setZero();
  if (params_.dynamics.coriolis) measurement_.bias += terms_.coriolis;
  if (params_.dynamics.gravity) measurement_.bias += terms_.gravity;
  measurement_.mass = terms_.mass;
  if (sensor_) external_wrench_ = sensor_->update(dt);
}

void CartesianImpedanceController::take_profiles() noexcept {
  const auto wanted = profiles_.try_get();
  if (!wanted || wanted->number == profiles_in_use_) return;
  law_->set_gains(wanted->impedance);
  law_->set_wrench_gains(wanted->wrench);
  profiles_in_use_ = wanted->number;
}

void CartesianImpedanceController::take_target() noexcept {
  auto received = inbox_->take();
  if (!received) return;
  received->target.stamp = measurement_.now - received->age;
  law_->set_target(received->target);
}

void CartesianImpedanceController::write_hardware() noexcept {
  // An interface that is being written by someone else refuses; the next cycle writes again.
  static_cast<void>(joints_->write(law_->state().effort));
}

}  // namespace hilserl_controllers

PLUGINLIB_EXPORT_CLASS(hilserl_controllers::CartesianImpedanceController,
                       controller_interface::ControllerInterface)
