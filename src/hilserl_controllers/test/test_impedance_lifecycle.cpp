// SPDX-License-Identifier: Apache-2.0
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <geometry_msgs/msg/wrench_stamped.hpp>
#include <std_srvs/srv/trigger.hpp>

#include "impedance_fixture.hpp"

namespace hilserl_controllers::testing {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST_F(ImpedanceTest, ClaimsEffortAndReadsPositionAndVelocity) {
  init();
  ASSERT_TRUE(arm_->configure());
  const auto commands = arm_->controller().command_interface_configuration().names;
  const auto states = arm_->controller().state_interface_configuration().names;
  ASSERT_EQ(commands.size(), 7u);
  EXPECT_EQ(commands[0], "joint1/effort");
  ASSERT_EQ(states.size(), 14u);
  EXPECT_EQ(states[0], "joint1/position");
  EXPECT_EQ(states[13], "joint7/velocity");
}

TEST_F(ImpedanceTest, FromInitToDeactivateAndAgain) {
  activate({{"dynamics.gravity", true}});
  run(20);
  EXPECT_GT(arm_->command_norm(), 1.0) << "gravity is fed forward";
  ASSERT_TRUE(arm_->deactivate());
  EXPECT_EQ(arm_->command_norm(), 0.0) << "deactivation writes zero effort";
  ASSERT_TRUE(arm_->activate());
  run(20);
  EXPECT_GT(arm_->command_norm(), 1.0);
  ASSERT_TRUE(arm_->deactivate());
  ASSERT_TRUE(arm_->cleanup());
  ASSERT_TRUE(arm_->configure());
  ASSERT_TRUE(arm_->activate());
}

TEST_F(ImpedanceTest, ActivationHoldsTheMeasuredPose) {
  activate();
  run(50);
  const CartesianControllerState state = arm_->newest_state();
  EXPECT_TRUE(state.holding);
  for (const double error : state.error) EXPECT_NEAR(error, 0.0, 1e-9);
  EXPECT_LT(arm_->command_norm(), 1e-6);
  EXPECT_EQ(state.header.frame_id, "base");
  EXPECT_GT(state.header.stamp.sec, 1'000'000) << "wall clock, not the controller manager's steady clock";
}

TEST_F(ImpedanceTest, TargetIsFollowedWithThePushOfTheClip) {
  activate();
  CartesianTarget target = target_here();
  target.pose.position.z -= 0.1;
  for (int i = 0; i < 8; ++i) {
    arm_->send("target", target);
    run(100);
  }
  const CartesianControllerState state = arm_->newest_state();
  EXPECT_FALSE(state.holding);
  EXPECT_LT(state.error[2], -0.05);
  EXPECT_NEAR(state.error_clipped[2], -0.0055, 1e-6);
  EXPECT_NEAR(state.commanded_wrench.force.z, -11.0, 0.01) << "2000 N/m times 5.5 mm";
  EXPECT_NEAR(state.push_negative[2], 11.0, 1e-6);
  EXPECT_EQ(state.mode, CartesianTarget::MODE_POSE);
  EXPECT_TRUE(state.limit_flags[2] & CartesianControllerState::LIMIT_CLIP);
  EXPECT_GT(arm_->command_norm(), 0.5);
}

TEST_F(ImpedanceTest, StampedPoseAndStampedWrenchDriveItToo) {
  activate();
  geometry_msgs::msg::PoseStamped pose;
  pose.header.frame_id = "base";
  pose.pose = target_here().pose;
  pose.pose.position.x += 0.05;
  arm_->send("target_pose", pose);
  run(200);
  EXPECT_GT(arm_->newest_state().error_clipped[0], 0.001);
  geometry_msgs::msg::WrenchStamped wrench;
  wrench.header.frame_id = "base";
  wrench.wrench.force.y = 5.0;
  for (int i = 0; i < 20; ++i) {
    arm_->send("target_wrench", wrench);
    run(100);
  }
  EXPECT_NEAR(arm_->newest_state().commanded_wrench.force.y, 5.0, 0.2);
  EXPECT_EQ(arm_->newest_state().mode, CartesianTarget::MODE_WRENCH);
}

// Defect 2 of the references: a command received before activation moves the arm at activation.
TEST_F(ImpedanceTest, Defect02NothingReceivedBeforeActivationActs) {
  init();
  ASSERT_TRUE(arm_->configure());
  CartesianTarget target;
  target.header.frame_id = "base";
  target.pose.position.x = 0.4;
  target.pose.orientation.x = 1.0;
  target.pose.orientation.w = 0.0;
  arm_->send("target", target);
  ASSERT_TRUE(arm_->activate());
  run(50);
  EXPECT_TRUE(arm_->newest_state().holding);
  EXPECT_LT(arm_->command_norm(), 1e-6);
  arm_->send("target", target);
  run(50);
  EXPECT_FALSE(arm_->newest_state().holding) << "the same message counts once active";
  ASSERT_TRUE(arm_->deactivate());
  arm_->send("target", target);
  ASSERT_TRUE(arm_->activate());
  run(50);
  EXPECT_TRUE(arm_->newest_state().holding) << "deactivation forgets";
}

// Defect 4 of the references: bad messages reach the loop.
TEST_F(ImpedanceTest, Defect04BadTargetsAreDropped) {
  activate();
  for (int kind = 0; kind < 4; ++kind) {
    CartesianTarget target = target_here();
    if (kind == 0) target.header.frame_id = "world";
    if (kind == 1) target.pose.position.x = kNan;
    if (kind == 2) target.pose.orientation.w += 1.0;
    if (kind == 3) target.header.stamp.sec = 5;  // long ago
    arm_->send("target", target);
    run(20);
    EXPECT_TRUE(arm_->newest_state().holding) << "kind " << kind;
  }
  EXPECT_LT(arm_->command_norm(), 1e-6);
}

// Defect 7 of the references: update() overwrites the topic's target.
TEST_F(ImpedanceTest, Defect07TheTargetStaysUntilItIsStale) {
  activate();
  CartesianTarget target = target_here();
  target.pose.position.y += 0.05;
  arm_->send("target", target);
  run(400);
  EXPECT_FALSE(arm_->newest_state().holding);
  EXPECT_NEAR(arm_->newest_state().error[1], 0.05, 0.002);
  run(200);
  const CartesianControllerState stale = arm_->newest_state();
  EXPECT_TRUE(stale.holding) << "0.5 s without a message";
  EXPECT_NEAR(stale.error[1], 0.0, 1e-6);
  EXPECT_GT(stale.target_age, 0.5);
}

TEST_F(ImpedanceTest, LostMeasurementLetsTheEffortGo) {
  activate({{"dynamics.gravity", true}});
  run(100);
  ASSERT_GT(arm_->command_norm(), 1.0);
  arm_->set_state("joint3/velocity", kNan);
  run(100);
  EXPECT_EQ(arm_->command_norm(), 0.0);
  arm_->set_state("joint3/velocity", 0.0);
  run(100);
  EXPECT_GT(arm_->command_norm(), 1.0);
}

TEST_F(ImpedanceTest, EffortNeverRisesFasterThanItsRate) {
  activate({{"dynamics.gravity", true}, {"limits.effort_rate", std::vector<double>{100.0}}});
  double last = 0.0;
  for (int i = 0; i < 50; ++i) {
    run(1);
    EXPECT_LE(std::abs(arm_->command(1) - last), 0.1 + 1e-9);
    last = arm_->command(1);
  }
}

TEST_F(ImpedanceTest, NoActivationWithoutJointPositions) {
  init();
  ASSERT_TRUE(arm_->configure());
  arm_->set_state("joint1/position", kNan);
  EXPECT_FALSE(arm_->activate());
}

TEST_F(ImpedanceTest, SensorIsTaredAndMovedToTheTcp) {
  activate({{"force_torque_sensor.name", "ft"}, {"force_torque_sensor.frame", "sensor"}});
  arm_->set_state("ft/force.x", 4.0);
  run(200);
  // The sensor is turned by 90 degrees about z and 0.1 m before the tcp: its x is the tcp's y.
  CartesianControllerState state = arm_->newest_state();
  EXPECT_NEAR(state.external_wrench.force.y, 4.0, 1e-3);
  EXPECT_NEAR(state.external_wrench.torque.x, 0.4, 1e-3);
  auto client =
      arm_->peer().create_client<std_srvs::srv::Trigger>("cartesian_controller/tare_force_torque_sensor");
  arm_->wait([&] { return client->service_is_ready(); });
  auto answer = client->async_send_request(std::make_shared<std_srvs::srv::Trigger::Request>());
  arm_->executor().spin_until_future_complete(answer, std::chrono::seconds(5));
  ASSERT_TRUE(answer.get()->success);
  run(10);
  state = arm_->newest_state();
  EXPECT_NEAR(state.external_wrench.force.y, 0.0, 1e-3);
  EXPECT_NEAR(state.external_wrench.torque.x, 0.0, 1e-3);
}

TEST_F(ImpedanceTest, GainsChangeAtRunTimeByARamp) {
  activate();
  CartesianTarget target = target_here();
  target.pose.position.z -= 0.1;
  arm_->send("target", target);
  run(300);
  const double before = arm_->newest_state().commanded_wrench.force.z;
  ASSERT_NEAR(before, -11.0, 0.1);
  const auto node = arm_->controller().get_node();
  const auto result = node->set_parameters_atomically(
      {{"gains.clip_unit", "force"},
       {"gains.clip_negative", std::vector<double>{10.0, 10.0, 30.0, 1.0, 1.0, 1.0}},
       {"gains.clip_positive", std::vector<double>{10.0, 10.0, 30.0, 1.0, 1.0, 1.0}}});
  ASSERT_TRUE(result.successful) << result.reason;
  run(1);
  arm_->send("target", target);
  EXPECT_NEAR(arm_->newest_state().commanded_wrench.force.z, before, 0.5) << "no step";
  for (int i = 0; i < 20; ++i) {
    arm_->send("target", target);
    run(100);
  }
  EXPECT_NEAR(arm_->newest_state().commanded_wrench.force.z, -30.0, 0.1);
}

TEST_F(ImpedanceTest, BadChangeAtRunTimeIsRefusedWithItsRuleAndNothingChanges) {
  activate();
  const auto node = arm_->controller().get_node();
  const auto wide =
      node->set_parameter({"gains.clip_positive", std::vector<double>{1.0, 0.0, 0.0, 0.0, 0.0, 0.0}});
  EXPECT_FALSE(wide.successful);
  EXPECT_THAT(wide.reason, ::testing::HasSubstr("limits.max_force"));
  const auto negative =
      node->set_parameter({"gains.stiffness", std::vector<double>{-1.0, 0.0, 0.0, 0.0, 0.0, 0.0}});
  EXPECT_FALSE(negative.successful);
  EXPECT_THAT(negative.reason, ::testing::HasSubstr("gains.stiffness"));
  EXPECT_FALSE(node->set_parameter({"limits.max_force", 500.0}).successful) << "read-only";
  EXPECT_EQ(node->get_parameter("gains.stiffness").as_double_array()[0], 2000.0);
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
