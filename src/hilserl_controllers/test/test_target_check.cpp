// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <limits>

#include "hilserl_controllers/target_inbox.hpp"

namespace hilserl_controllers {
namespace {

using hilserl_control::Mode;
using hilserl_control::WrenchFrame;
using hilserl_msgs::msg::CartesianTarget;
using ::testing::HasSubstr;

const double kNan = std::numeric_limits<double>::quiet_NaN();

TargetRules rules() {
  return {"base", "tcp", 0.5, 0.2, 0.3};
}

CartesianTarget good(std::uint8_t mode = CartesianTarget::MODE_POSE) {
  CartesianTarget message;
  message.header.frame_id = "base";
  message.mode = mode;
  message.pose.position.x = 0.5;
  message.pose.orientation.w = 0.0;
  message.pose.orientation.x = 1.0;
  message.twist.linear.y = 0.1;
  message.wrench.force.z = -3.0;
  return message;
}

TEST(TargetCheck, EveryFieldArrives) {
  const CheckedTarget checked = check(good(CartesianTarget::MODE_POSE_AND_WRENCH), rules());
  EXPECT_EQ(checked.problem, "");
  EXPECT_EQ(checked.target.mode, Mode::kPoseAndWrench);
  EXPECT_EQ(checked.target.pose.position[0], 0.5);
  EXPECT_EQ(checked.target.pose.orientation.x(), 1.0);
  EXPECT_EQ(checked.target.wrench[2], -3.0);
  EXPECT_EQ(checked.target.wrench_frame, WrenchFrame::kBase);
  CartesianTarget in_hand = good(CartesianTarget::MODE_WRENCH);
  in_hand.wrench_frame = CartesianTarget::WRENCH_FRAME_TCP;
  EXPECT_EQ(check(in_hand, rules()).target.wrench_frame, WrenchFrame::kTcp);
  EXPECT_EQ(check(good(CartesianTarget::MODE_TWIST), rules()).target.twist[1], 0.1);
}

// Defect 4 of the references: quaternion not normalized, frame_id ignored.
TEST(TargetCheck, Defect04FrameAndQuaternionAreChecked) {
  CartesianTarget message = good();
  message.header.frame_id = "world";
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("header.frame_id is 'world'"));
  message = good();
  message.header.frame_id = "";
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("must be the base frame 'base'"));
  message = good();
  message.pose.orientation.w = 0.4;
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("pose.orientation"));
}

TEST(TargetCheck, NotFiniteIsRefusedByField) {
  CartesianTarget message = good();
  message.pose.position.z = kNan;
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("pose.position is [0.5   0 nan]"));
  message = good(CartesianTarget::MODE_WRENCH);
  message.wrench.torque.x = std::numeric_limits<double>::infinity();
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("wrench is"));
  message = good(CartesianTarget::MODE_TWIST);
  message.twist.angular.x = kNan;
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("twist is"));
  message = good();
  message = good(CartesianTarget::MODE_WRENCH);
  message.wrench_frame = 7;
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("wrench_frame is 7"));
  message.mode = 9;
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("mode is 9"));
}

TEST(TargetCheck, WhatTheModeDoesNotUseIsNotChecked) {
  CartesianTarget message = good(CartesianTarget::MODE_WRENCH);
  message.pose.orientation = geometry_msgs::msg::Quaternion();
  message.pose.orientation.w = 0.0;
  EXPECT_EQ(check(message, rules()).problem, "");
}

TEST(TargetCheck, StampedWrenchInBaseOrTcpAxes) {
  geometry_msgs::msg::WrenchStamped message;
  message.header.frame_id = "tcp";
  message.wrench.force.x = 2.0;
  EXPECT_EQ(check(message, rules()).target.wrench_frame, WrenchFrame::kTcp);
  EXPECT_EQ(check(message, rules()).target.mode, Mode::kWrench);
  message.header.frame_id = "base";
  EXPECT_EQ(check(message, rules()).target.wrench_frame, WrenchFrame::kBase);
  message.header.frame_id = "link3";
  EXPECT_THAT(check(message, rules()).problem, HasSubstr("or the end-effector frame 'tcp'"));
}

builtin_interfaces::msg::Time stamp(std::int32_t seconds, std::uint32_t nanoseconds) {
  builtin_interfaces::msg::Time time;
  time.sec = seconds;
  time.nanosec = nanoseconds;
  return time;
}

TEST(TargetCheck, AgeIsMeasuredFromTheStamp) {
  const rclcpp::Time now(100, 300'000'000, RCL_ROS_TIME);
  hilserl_control::Target target;
  std::string reason;
  EXPECT_NEAR(*check_age(now, stamp(100, 0), target, rules(), reason), 0.3, 1e-9);
  EXPECT_EQ(*check_age(now, stamp(0, 0), target, rules(), reason), 0.0) << "no stamp means now";
  EXPECT_EQ(*check_age(now, stamp(100, 350'000'000), target, rules(), reason), 0.0)
      << "clocks differ a little";
  EXPECT_FALSE(check_age(now, stamp(99, 0), target, rules(), reason));
  EXPECT_THAT(reason, HasSubstr("must be younger than 0.5"));
  EXPECT_FALSE(check_age(now, stamp(101, 0), target, rules(), reason));
  EXPECT_THAT(reason, HasSubstr("clocks"));
  EXPECT_FALSE(check_age(now, stamp(-1, 0), target, rules(), reason));
  target.mode = Mode::kTwist;
  EXPECT_FALSE(check_age(now, stamp(100, 0), target, rules(), reason)) << "a twist is stale sooner";
}

}  // namespace
}  // namespace hilserl_controllers
