// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "controller_under_test.hpp"
#include "hilserl_controllers/cartesian_admittance_controller.hpp"
#include "hilserl_msgs/msg/cartesian_target.hpp"

namespace hilserl_controllers::testing {
namespace {

using hilserl_msgs::msg::CartesianControllerState;
using hilserl_msgs::msg::CartesianTarget;
using Numbers = std::vector<double>;

/// A position-controlled arm that follows its command within one cycle.
class AdmittanceTest : public ::testing::Test {
 protected:
  static constexpr double kPeriod = 0.002;  // s

  void init(const std::vector<rclcpp::Parameter>& changed = {}) {
    const std::vector<rclcpp::Parameter> smallest = {{"joints", arm_joints()},
                                                     {"base_frame", "base"},
                                                     {"end_effector_frame", "tcp"},
                                                     {"force_torque_sensor.name", "ft"},
                                                     {"limits.workspace_min", Numbers{-1.0, -1.0, -1.0}},
                                                     {"limits.workspace_max", Numbers{1.0, 1.0, 1.0}},
                                                     {"state_publish_divisor", 1}};
    arm_ = std::make_unique<ControllerUnderTest<CartesianAdmittanceController>>("position");
    ASSERT_TRUE(arm_->init(arm_description(), merged(smallest, changed)));
  }

  void activate() {
    init();
    ASSERT_TRUE(arm_->configure());
    ASSERT_TRUE(arm_->activate());
  }

  void run(int cycles) {
    for (int i = 0; i < cycles; ++i) {
      ASSERT_TRUE(arm_->update(kPeriod));
      for (std::size_t joint = 0; joint < arm_joints().size(); ++joint)
        arm_->set_state(arm_joints()[joint] + "/position", arm_->command(joint));
    }
  }

  std::unique_ptr<ControllerUnderTest<CartesianAdmittanceController>> arm_;
};

TEST_F(AdmittanceTest, ActivationCommandsTheMeasuredPositions) {
  activate();
  run(100);
  EXPECT_NEAR(arm_->command(1), -0.4, 1e-9);
  EXPECT_NEAR(arm_->command(3), -2.1, 1e-9);
  EXPECT_TRUE(arm_->newest_state().holding);
}

TEST_F(AdmittanceTest, GoesWhereTheTargetIs) {
  activate();
  CartesianTarget target;
  target.header.frame_id = "base";
  const CartesianControllerState before = arm_->newest_state();
  target.pose = before.pose;
  target.pose.position.y += 0.02;
  for (int i = 0; i < 20; ++i) {
    arm_->send("target", target);
    run(100);
  }
  const CartesianControllerState after = arm_->newest_state();
  EXPECT_NEAR(after.pose.position.y, target.pose.position.y, 1e-3);
  EXPECT_NEAR(after.pose.position.x, before.pose.position.x, 1e-3);
  EXPECT_NEAR(after.pose.position.z, before.pose.position.z, 1e-3);
}

TEST_F(AdmittanceTest, MeasuredForceMovesTheArmItsWay) {
  activate();
  const CartesianControllerState before = arm_->newest_state();
  // At the ready posture the tool looks down: the sensor's frame is turned, so compare along the force.
  arm_->set_state("ft/force.z", -3.0);
  run(300);
  const CartesianControllerState after = arm_->newest_state();
  EXPECT_GT(after.pose.position.z, before.pose.position.z + 5e-4) << "pushed up, it goes up";
  EXPECT_NEAR(after.external_wrench.force.z, -3.0, 1e-3);
}

TEST_F(AdmittanceTest, LostSensorStopsIt) {
  activate();
  arm_->set_state("ft/force.z", -3.0);
  run(50);
  arm_->set_state("ft/force.x", std::numeric_limits<double>::quiet_NaN());
  run(1);
  const double there = arm_->command(1);
  run(100);
  EXPECT_EQ(arm_->command(1), there);
}

TEST_F(AdmittanceTest, NeedsASensorAndADescribedSpeed) {
  init({{"force_torque_sensor.name", ""}});
  EXPECT_FALSE(arm_->configure());
  init({{"limits.joint_velocity", Numbers{9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}}});
  EXPECT_FALSE(arm_->configure());
  init({{"admittance.mass", Numbers{0.0, 8.0, 8.0, 0.4, 0.4, 0.4}}});
  EXPECT_FALSE(arm_->configure());
}

}  // namespace
}  // namespace hilserl_controllers::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  rclcpp::init(argc, argv);
  const int result = RUN_ALL_TESTS();
  rclcpp::shutdown();
  return result;
}
