// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/cartesian_admittance_controller.hpp"

#include <algorithm>
#include <limits>
#include <pluginlib/class_list_macros.hpp>
#include <stdexcept>

#include "admittance_settings.hpp"
#include "parameter_changes.hpp"

namespace hilserl_controllers {

namespace {

using controller_interface::CallbackReturn;
using controller_interface::interface_configuration_type;
using controller_interface::InterfaceConfiguration;
using controller_interface::return_type;
using hilserl_control::JointVector;
using hilserl_control::Vector6;

constexpr const char* kCommand = "position";

void append(std::vector<std::string>& names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
}

}  // namespace

InterfaceConfiguration CartesianAdmittanceController::command_interface_configuration() const {
  return {interface_configuration_type::INDIVIDUAL, joints_->command_names()};
}

InterfaceConfiguration CartesianAdmittanceController::state_interface_configuration() const {
  std::vector<std::string> names = joints_->state_names();
  append(names, sensor_->state_names());
  return {interface_configuration_type::INDIVIDUAL, names};
}

CallbackReturn CartesianAdmittanceController::on_init() {
  try {
    declare_parameters();
  } catch (const std::exception&) {
    // Said by on_configure, the step at which a person looks for it.
  }
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianAdmittanceController::on_configure(const rclcpp_lifecycle::State& /*previous*/) {
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

CallbackReturn CartesianAdmittanceController::on_activate(const rclcpp_lifecycle::State& /*previous*/) {
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

CallbackReturn CartesianAdmittanceController::on_deactivate(const rclcpp_lifecycle::State& /*previous*/) {
  inbox_->close();
  // The arm stays at the last positions commanded; the law stops at once.
  joints_->detach();
  sensor_->detach();
  return CallbackReturn::SUCCESS;
}

CallbackReturn CartesianAdmittanceController::on_cleanup(const rclcpp_lifecycle::State& /*previous*/) {
  tear_down();
  return CallbackReturn::SUCCESS;
}

return_type CartesianAdmittanceController::update(const rclcpp::Time& /*time*/,
                                                  const rclcpp::Duration& period) {
  read_hardware(period);
  take_profiles();
  take_target();
  law_->update(measurement_);
  write_hardware();
  show();
  publisher_->update(shown_, law_->state(), external_wrench_);
  return return_type::OK;
}

// -- Configuration

void CartesianAdmittanceController::declare_parameters() {
  if (!listener_) listener_ = std::make_shared<ParamListener>(get_node());
}

void CartesianAdmittanceController::build() {
  model_ = std::make_unique<ArmModel>(
      get_robot_description(), ArmFrames{params_.joints, params_.base_frame, params_.end_effector_frame});
  joints_ = std::make_unique<JointInterfaces>(params_.joints, kCommand);
  build_law();
  build_sensor();
  publisher_ = std::make_unique<StatePublisher>(*get_node(), params_.base_frame, model_->joints(),
                                                static_cast<int>(params_.state_publish_divisor));
  inbox_ = std::make_unique<TargetInbox>(*get_node(), target_rules(params_));
  serve_parameter_changes();
}

void CartesianAdmittanceController::build_law() {
  law_ = std::make_unique<hilserl_control::CartesianAdmittance>(law_config(params_, model_->limits()));
  const Eigen::Index n = model_->joints();
  measurement_ = hilserl_control::AdmittanceMeasurement{};
  shown_ = hilserl_control::Measurement{};
  dq_ = JointVector::Zero(n);
  measurement_.q = shown_.q = shown_.dq = dq_;
  measurement_.jacobian = hilserl_control::Jacobian::Zero(6, n);
  profiles_.set(NewProfiles{});
  profile_changes_ = profiles_in_use_ = 0;
}

void CartesianAdmittanceController::build_sensor() {
  external_wrench_.setConstant(std::numeric_limits<double>::quiet_NaN());
  const auto& given = params_.force_torque_sensor;
  const std::string& frame = given.frame.empty() ? params_.end_effector_frame : given.frame;
  const Pose tcp_T_sensor = model_->fixed_on_end_effector(frame, "force_torque_sensor.frame");
  sensor_ = std::make_unique<WrenchSensor>(*get_node(), given.name, tcp_T_sensor, given.filter_time_constant);
}

void CartesianAdmittanceController::tear_down() {
  change_check_.reset();
  if (listener_) listener_->clearUserCallback();
  inbox_.reset();
  publisher_.reset();
  sensor_.reset();
  law_.reset();
  joints_.reset();
  model_.reset();
}

// -- Parameters at run time: gains only, all others are read-only

void CartesianAdmittanceController::serve_parameter_changes() {
  change_check_ = get_node()->add_on_set_parameters_callback(
      [this](const std::vector<rclcpp::Parameter>& changed) { return check_change(changed); });
  listener_->setUserCallback([this](const Params& changed) { use_change(changed); });
}

rcl_interfaces::msg::SetParametersResult CartesianAdmittanceController::check_change(
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

void CartesianAdmittanceController::use_change(const Params& changed) {
  const Profiles wanted = profiles(changed);  // checked just before
  profiles_.set(NewProfiles{++profile_changes_, wanted.impedance, wanted.wrench});
}

// -- Activation

void CartesianAdmittanceController::attach_interfaces() {
  std::string missing;
  if (!joints_->attach(command_interfaces_, state_interfaces_, missing))
    throw std::runtime_error("interface '" + missing + "' is not there");
  if (!sensor_->attach(state_interfaces_))
    throw std::runtime_error("the state interfaces of force_torque_sensor '" +
                             params_.force_torque_sensor.name + "' are not there");
}

void CartesianAdmittanceController::start_law() {
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

void CartesianAdmittanceController::read_hardware(const rclcpp::Duration& period) noexcept {
  // Time since activation, by the periods: the clock of update() is steady, the stamps of targets are not.
  const double dt = period.seconds();
  measurement_.dt = dt;
  measurement_.now += std::max(dt, 0.0);
  joints_->read(measurement_.q, dq_);
  model_->update_kinematics(law_->command());
  measurement_.pose = model_->pose();
  measurement_.jacobian = model_->jacobian();
  external_wrench_ = sensor_->update(dt);
  const Eigen::Matrix3d turn = measurement_.pose.orientation.toRotationMatrix();
  measurement_.wrench.head<3>() = turn * external_wrench_.head<3>();
  measurement_.wrench.tail<3>() = turn * external_wrench_.tail<3>();
}

void CartesianAdmittanceController::take_profiles() noexcept {
  const auto wanted = profiles_.try_get();
  if (!wanted || wanted->number == profiles_in_use_) return;
  law_->set_gains(wanted->impedance);
  law_->set_wrench_gains(wanted->wrench);
  profiles_in_use_ = wanted->number;
}

void CartesianAdmittanceController::take_target() noexcept {
  auto received = inbox_->take();
  if (!received) return;
  received->target.stamp = measurement_.now - received->age;
  law_->set_target(received->target);
}

void CartesianAdmittanceController::write_hardware() noexcept {
  // An interface that is being written by someone else refuses; the next cycle writes again.
  static_cast<void>(joints_->write(law_->command()));
}

/// The state shows the measured arm, the law ran on the commanded one.
void CartesianAdmittanceController::show() noexcept {
  shown_.q = measurement_.q;
  shown_.dq = dq_;
  model_->update_kinematics(measurement_.q);
  shown_.pose = model_->pose();
  shown_.twist = model_->jacobian().lazyProduct(dq_);
}

}  // namespace hilserl_controllers

PLUGINLIB_EXPORT_CLASS(hilserl_controllers::CartesianAdmittanceController,
                       controller_interface::ControllerInterface)
