// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <realtime_tools/realtime_thread_safe_box.hpp>
#include <semantic_components/force_torque_sensor.hpp>
#include <std_srvs/srv/trigger.hpp>
#include <string>
#include <vector>

#include "hilserl_control/types.hpp"

namespace hilserl_controllers {

/// A force-torque sensor: filtered, tared and moved to the tcp. Serves ~/tare_force_torque_sensor.
class WrenchSensor {
 public:
  /// `tcp_T_sensor`: where the sensor measures, seen from the tcp. Time constant in s.
  WrenchSensor(rclcpp_lifecycle::LifecycleNode& node, const std::string& name,
               const hilserl_control::Pose& tcp_T_sensor, double filter_time_constant);

  std::vector<std::string> state_names() { return sensor_.get_state_interface_names(); }
  /// False when the sensor's interfaces are not among `states`.
  bool attach(std::vector<hardware_interface::LoanedStateInterface>& states);
  void detach();

  /// Real-time thread, once a cycle. The wrench on the hand, at and in the tcp frame, N and Nm; NaN when the
  /// sensor gives none. Does not allocate, block or log.
  const hilserl_control::Vector6& update(double dt) noexcept;

 private:
  void tare(std_srvs::srv::Trigger::Response& response);

  semantic_components::ForceTorqueSensor sensor_;
  hilserl_control::Matrix6 tcp_from_sensor_;
  double time_constant_;
  std::atomic<bool> attached_{false};
  bool fresh_ = true;
  hilserl_control::Vector6 filtered_;  ///< in the sensor's frame, not tared
  hilserl_control::Vector6 offset_;
  hilserl_control::Vector6 wrench_;
  realtime_tools::RealtimeThreadSafeBox<hilserl_control::Vector6> measured_box_;
  realtime_tools::RealtimeThreadSafeBox<hilserl_control::Vector6> offset_box_;
  rclcpp::Service<std_srvs::srv::Trigger>::SharedPtr service_;
};

/// Moves a wrench (force, torque) from a frame to the one in which `pose` is that frame.
hilserl_control::Matrix6 wrench_transform(const hilserl_control::Pose& pose) noexcept;

}  // namespace hilserl_controllers
