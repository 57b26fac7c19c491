// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/profile_changes.hpp"

#include <exception>
#include <utility>

namespace hilserl_controllers {

ProfileChanges::ProfileChanges(rclcpp_lifecycle::LifecycleNode& node, Reader read)
    : read_(std::move(read)), box_(Numbered{}) {
  callback_ = node.add_on_set_parameters_callback(
      [this](const std::vector<rclcpp::Parameter>& changed) { return check(changed); });
}

void ProfileChanges::use(const Profiles& profiles) {
  box_.set(Numbered{++changes_, profiles});
}

rcl_interfaces::msg::SetParametersResult ProfileChanges::check(
    const std::vector<rclcpp::Parameter>& changed) const {
  rcl_interfaces::msg::SetParametersResult result;
  result.successful = true;
  try {
    read_(changed);
  } catch (const std::exception& error) {
    result.successful = false;
    result.reason = error.what();
  }
  return result;
}

}  // namespace hilserl_controllers
