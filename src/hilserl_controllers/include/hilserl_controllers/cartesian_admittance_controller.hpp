// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <controller_interface/controller_interface.hpp>
#include <hilserl_controllers/cartesian_admittance_controller_parameters.hpp>
#include <memory>
#include <realtime_tools/realtime_thread_safe_box.hpp>
#include <string>
#include <vector>

#include "hilserl_control/admittance.hpp"
#include "hilserl_controllers/arm_model.hpp"
#include "hilserl_controllers/joint_interfaces.hpp"
#include "hilserl_controllers/new_profiles.hpp"
#include "hilserl_controllers/state_publisher.hpp"
#include "hilserl_controllers/target_inbox.hpp"
#include "hilserl_controllers/wrench_sensor.hpp"

namespace hilserl_controllers {

/// Cartesian admittance of a position-controlled arm with a force-torque sensor as a ros2_control plugin: the
/// same topics, modes and limits as CartesianImpedanceController, for arms that take joint positions.
class CartesianAdmittanceController : public controller_interface::ControllerInterface {
 public:
  controller_interface::InterfaceConfiguration command_interface_configuration() const override;
  controller_interface::InterfaceConfiguration state_interface_configuration() const override;

  controller_interface::CallbackReturn on_init() override;
  controller_interface::CallbackReturn on_configure(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_activate(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_deactivate(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_cleanup(const rclcpp_lifecycle::State& previous) override;

  controller_interface::return_type update(const rclcpp::Time& time, const rclcpp::Duration& period) override;

 private:
  using Params = cartesian_admittance_controller::Params;
  using ParamListener = cartesian_admittance_controller::ParamListener;

  void declare_parameters();
  void build();
  void build_law();
  void build_sensor();
  void tear_down();
  void serve_parameter_changes();
  rcl_interfaces::msg::SetParametersResult check_change(const std::vector<rclcpp::Parameter>& changed) const;
  void use_change(const Params& changed);
  void attach_interfaces();
  void start_law();

  void read_hardware(const rclcpp::Duration& period) noexcept;
  void take_profiles() noexcept;
  void take_target() noexcept;
  void write_hardware() noexcept;
  void show() noexcept;

  std::shared_ptr<ParamListener> listener_;
  rclcpp::node_interfaces::OnSetParametersCallbackHandle::SharedPtr change_check_;
  Params params_;
  std::unique_ptr<ArmModel> model_;
  std::unique_ptr<JointInterfaces> joints_;
  std::unique_ptr<WrenchSensor> sensor_;
  std::unique_ptr<TargetInbox> inbox_;
  std::unique_ptr<StatePublisher> publisher_;
  std::unique_ptr<hilserl_control::CartesianAdmittance> law_;
  realtime_tools::RealtimeThreadSafeBox<NewProfiles> profiles_;
  std::uint64_t profile_changes_ = 0;
  std::uint64_t profiles_in_use_ = 0;

  hilserl_control::AdmittanceMeasurement measurement_;
  hilserl_control::Measurement shown_;        ///< what controller_state says was measured
  hilserl_control::JointVector dq_;           ///< rad/s, measured
  hilserl_control::Vector6 external_wrench_;  ///< at and in the tcp frame; NaN while the sensor gives none
};

}  // namespace hilserl_controllers
