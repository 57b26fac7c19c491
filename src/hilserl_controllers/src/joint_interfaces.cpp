// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/joint_interfaces.hpp"

#include <algorithm>
#include <functional>

namespace hilserl_controllers {

namespace {

constexpr const char* kPosition = "position";
constexpr const char* kVelocity = "velocity";

std::string full_name(const std::string& joint, const std::string& interface) {
  return joint + "/" + interface;
}

template <typename Interfaces, typename References>
bool find(const std::string& name, Interfaces& interfaces, References& found, std::string& missing) {
  const auto match = std::find_if(interfaces.begin(), interfaces.end(),
                                  [&name](const auto& interface) { return interface.get_name() == name; });
  if (match == interfaces.end()) {
    missing = name;
    return false;
  }
  found.push_back(std::ref(*match));
  return true;
}

}  // namespace

JointInterfaces::JointInterfaces(const std::vector<std::string>& joints, const std::string& command)
    : joints_(joints), command_(command) {}

std::vector<std::string> JointInterfaces::command_names() const {
  std::vector<std::string> names;
  for (const auto& joint : joints_) names.push_back(full_name(joint, command_));
  return names;
}

std::vector<std::string> JointInterfaces::state_names() const {
  std::vector<std::string> names;
  for (const auto& joint : joints_) names.push_back(full_name(joint, kPosition));
  for (const auto& joint : joints_) names.push_back(full_name(joint, kVelocity));
  return names;
}

bool JointInterfaces::attach(std::vector<hardware_interface::LoanedCommandInterface>& commands,
                             std::vector<hardware_interface::LoanedStateInterface>& states,
                             std::string& missing) {
  detach();
  for (const auto& joint : joints_) {
    if (!find(full_name(joint, command_), commands, commands_, missing) ||
        !find(full_name(joint, kPosition), states, positions_, missing) ||
        !find(full_name(joint, kVelocity), states, velocities_, missing)) {
      detach();
      return false;
    }
  }
  return true;
}

void JointInterfaces::detach() {
  commands_.clear();
  positions_.clear();
  velocities_.clear();
}

void JointInterfaces::read(hilserl_control::JointVector& q, hilserl_control::JointVector& dq) const noexcept {
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const auto joint = static_cast<Eigen::Index>(i);
    q[joint] = positions_[i].get().get_optional<double>().value_or(q[joint]);
    dq[joint] = velocities_[i].get().get_optional<double>().value_or(dq[joint]);
  }
}

bool JointInterfaces::write(const hilserl_control::JointVector& command) noexcept {
  bool written = true;
  for (std::size_t i = 0; i < commands_.size(); ++i)
    written = commands_[i].get().set_value(command[static_cast<Eigen::Index>(i)]) && written;
  return written;
}

}  // namespace hilserl_controllers
