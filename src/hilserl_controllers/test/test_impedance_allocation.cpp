// SPDX-License-Identifier: Apache-2.0
// update() of the whole plugin takes nothing from the heap: dynamics, sensor, targets, new gains, publishing.
#include "malloc_trap.hpp"
//
#include "impedance_fixture.hpp"

namespace hilserl_controllers::testing {
namespace {

long allocations_of(ControllerUnderTest<CartesianImpedanceController>& arm, int cycles) {
  const rclcpp::Time time(1, 0, RCL_STEADY_TIME);
  const rclcpp::Duration period = rclcpp::Duration::from_seconds(0.001);
  allocations = 0;
  trap_armed = true;
  for (int i = 0; i < cycles; ++i) arm.controller().update(time, period);
  trap_armed = false;
  return allocations;
}

TEST_F(ImpedanceTest, TheTrapSeesTheHeap) {
  trap_armed = true;
  allocations = 0;
  auto block = std::make_unique<std::vector<double>>(1000);
  trap_armed = false;
  EXPECT_GE(allocations, 2);
  EXPECT_EQ(block->size(), 1000u);
}

TEST_F(ImpedanceTest, UpdateDoesNotAllocate) {
  activate({{"dynamics.gravity", true},
            {"nullspace.mode", "dynamic"},
            {"force_torque_sensor.name", "ft"},
            {"state_publish_divisor", 2}});
  CartesianTarget target = target_here();
  EXPECT_EQ(allocations_of(*arm_, 500), 0) << "holding";
  for (std::uint8_t mode = 0; mode < 4; ++mode) {
    target.mode = mode;
    target.pose.position.z -= 0.05;
    target.twist.linear.x = 0.1;
    target.wrench.force.y = 4.0;
    arm_->send("target", target);
    EXPECT_EQ(allocations_of(*arm_, 1000), 0) << "mode " << int(mode) << ", then stale";
  }
  arm_->controller().get_node()->set_parameter({"gains.stiffness", std::vector<double>(6, 50.0)});
  EXPECT_EQ(allocations_of(*arm_, 500), 0) << "new gains";
  arm_->set_state("joint2/position", std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(allocations_of(*arm_, 500), 0) << "lost measurement";
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
