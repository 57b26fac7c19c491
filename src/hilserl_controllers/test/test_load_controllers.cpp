// SPDX-License-Identifier: Apache-2.0
// What the controller manager does first: find the plugins by name and make one.
#include <gmock/gmock.h>

#include <controller_interface/controller_interface.hpp>
#include <pluginlib/class_loader.hpp>
#include <string>

class LoadController : public ::testing::TestWithParam<const char*> {};

TEST_P(LoadController, ByPluginlib) {
  pluginlib::ClassLoader<controller_interface::ControllerInterface> loader(
      "controller_interface", "controller_interface::ControllerInterface");
  const std::string name = std::string("hilserl_controllers/") + GetParam();
  ASSERT_TRUE(loader.isClassAvailable(name));
  EXPECT_NE(loader.createUniqueInstance(name), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Every, LoadController,
                         ::testing::Values("CartesianImpedanceController", "CartesianAdmittanceController"),
                         [](const auto& one) { return std::string(one.param); });
