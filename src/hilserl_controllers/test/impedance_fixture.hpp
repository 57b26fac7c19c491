// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <rclcpp/rclcpp.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arm_description.hpp"
#include "controller_under_test.hpp"
#include "hilserl_controllers/cartesian_impedance_controller.hpp"
#include "hilserl_msgs/msg/cartesian_controller_state.hpp"
#include "hilserl_msgs/msg/cartesian_target.hpp"

namespace hilserl_controllers::testing {

using hilserl_msgs::msg::CartesianControllerState;
using hilserl_msgs::msg::CartesianTarget;

/// The smallest parameters that configure.
inline std::vector<rclcpp::Parameter> impedance_parameters() {
  return {{"joints", arm_joints()},
          {"base_frame", "base"},
          {"end_effector_frame", "tcp"},
          {"limits.workspace_min", std::vector<double>{-1.0, -1.0, -1.0}},
          {"limits.workspace_max", std::vector<double>{1.0, 1.0, 1.0}},
          {"state_publish_divisor", 1}};
}

/// A CartesianImpedanceController with interfaces made by hand, at the ready posture.
class ImpedanceTest : public ::testing::Test {
 protected:
  static constexpr double kPeriod = 0.001;  // s

  void init(std::vector<rclcpp::Parameter> changed = {}, const std::string& description = arm_description()) {
    arm_ = std::make_unique<ControllerUnderTest<CartesianImpedanceController>>("effort");
    ASSERT_TRUE(arm_->init(description, merged(impedance_parameters(), std::move(changed))));
  }

  void activate(std::vector<rclcpp::Parameter> changed = {}) {
    init(std::move(changed));
    ASSERT_TRUE(arm_->configure());
    ASSERT_TRUE(arm_->activate());
  }

  CartesianTarget target_here() {
    CartesianTarget target;
    target.header.frame_id = "base";
    const CartesianControllerState state = arm_->newest_state();
    target.pose = state.pose;
    return target;
  }

  /// 1 ms cycles; the arm does not move (it is held by the test).
  void run(int cycles) {
    for (int i = 0; i < cycles; ++i) ASSERT_TRUE(arm_->update(kPeriod));
  }

  std::unique_ptr<ControllerUnderTest<CartesianImpedanceController>> arm_;
};

}  // namespace hilserl_controllers::testing
