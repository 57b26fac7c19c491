// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <controller_interface/controller_interface.hpp>
#include <memory>
#include <string>
#include <vector>

#include "hilserl_control/state.hpp"
#include "hilserl_controllers/arm_model.hpp"
#include "hilserl_controllers/dynamics_source.hpp"
#include "hilserl_controllers/joint_interfaces.hpp"
#include "hilserl_controllers/profile_changes.hpp"
#include "hilserl_controllers/state_publisher.hpp"
#include "hilserl_controllers/target_inbox.hpp"
#include "hilserl_controllers/wrench_sensor.hpp"

namespace hilserl_controllers {

/// What every Cartesian controller does around its law: life cycle, targets, gains that change at run time,
/// joint interfaces, force-torque sensor, state topic. A plugin adds how its law measures the arm and what it
/// commands.
///
/// `Kind` names Params and ParamListener (generate_parameter_library), Law and Measurement (hilserl_control)
/// and kCommand, the joints' command interface. Functions arm_frames(params) and law_config(params, limits)
/// read its parameters. The member functions are in src/cartesian_controller_impl.hpp, instantiated by the
/// plugin.
template <typename Kind>
class CartesianController : public controller_interface::ControllerInterface {
 public:
  controller_interface::InterfaceConfiguration command_interface_configuration() const override;
  controller_interface::InterfaceConfiguration state_interface_configuration() const override;

  controller_interface::CallbackReturn on_init() override;
  controller_interface::CallbackReturn on_configure(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_activate(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_deactivate(const rclcpp_lifecycle::State& previous) override;
  controller_interface::CallbackReturn on_cleanup(const rclcpp_lifecycle::State& previous) override;

  controller_interface::return_type update(const rclcpp::Time& time, const rclcpp::Duration& period) override;

 protected:
  using Params = typename Kind::Params;

  // -- What a plugin adds. All of update() is real time: no allocation, lock, throw or log.

  /// on_configure, with params_, model_ and joints_ ready: sizes what measure() fills, and makes dynamics_
  /// where the law wants one. Throws naming parameter, value and rule.
  virtual void build_arm() = 0;
  /// update(), with q, dq_ and external_wrench_ read: the rest of measurement_.
  virtual void measure() noexcept = 0;
  /// What the joints are commanded now.
  virtual const JointVector& command() const noexcept = 0;
  /// The measured arm, for the state topic.
  virtual const hilserl_control::Measurement& measured_arm() noexcept = 0;
  /// on_deactivate, with the interfaces still attached: the last command.
  virtual void let_go() = 0;

  Params params_;
  std::unique_ptr<ArmModel> model_;
  std::unique_ptr<DynamicsSource> dynamics_;  ///< null: the law needs none
  std::unique_ptr<JointInterfaces> joints_;
  std::unique_ptr<typename Kind::Law> law_;
  typename Kind::Measurement measurement_;
  JointVector dq_;           ///< rad/s, measured
  Vector6 external_wrench_;  ///< at and in the tcp frame; NaN while no sensor gives one

 private:
  using ParamListener = typename Kind::ParamListener;

  void declare_parameters();
  void build();
  void build_sensor();
  void build_topics();
  void serve_parameter_changes();
  void tear_down();
  void attach_interfaces();
  void start_law();

  void count_time(const rclcpp::Duration& period) noexcept;
  void read_interfaces() noexcept;
  void take_profiles() noexcept;
  void take_target() noexcept;
  void write_command() noexcept;
  void publish_state() noexcept;

  std::shared_ptr<ParamListener> listener_;
  std::unique_ptr<ProfileChanges> changes_;
  std::unique_ptr<WrenchSensor> sensor_;
  std::unique_ptr<TargetInbox> inbox_;
  std::unique_ptr<StatePublisher> publisher_;
};

}  // namespace hilserl_controllers
