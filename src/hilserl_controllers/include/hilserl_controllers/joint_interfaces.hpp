// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hardware_interface/loaned_command_interface.hpp>
#include <hardware_interface/loaned_state_interface.hpp>
#include <string>
#include <vector>

#include "hilserl_control/types.hpp"

namespace hilserl_controllers {

/// The interfaces of the arm's joints, in the order of the parameter `joints`.
class JointInterfaces {
 public:
  /// `command` is the kind of command interface: "effort" or "position".
  JointInterfaces(const std::vector<std::string>& joints, const std::string& command);

  std::vector<std::string> command_names() const;
  std::vector<std::string> state_names() const;

  /// Finds the interfaces by name. False with the name in `missing` when one is not there.
  bool attach(std::vector<hardware_interface::LoanedCommandInterface>& commands,
              std::vector<hardware_interface::LoanedStateInterface>& states, std::string& missing);
  void detach();

  /// Reads q (rad) and dq (rad/s). A value that cannot be read now, because it is being written, stays what
  /// it was in the cycle before. Does not allocate.
  void read(hilserl_control::JointVector& q, hilserl_control::JointVector& dq) const noexcept;

  /// Writes one command a joint. False when an interface refused it. Does not allocate.
  bool write(const hilserl_control::JointVector& command) noexcept;

 private:
  using CommandRef = std::reference_wrapper<hardware_interface::LoanedCommandInterface>;
  using StateRef = std::reference_wrapper<hardware_interface::LoanedStateInterface>;

  std::vector<std::string> joints_;
  std::string command_;
  std::vector<CommandRef> commands_;
  std::vector<StateRef> positions_;
  std::vector<StateRef> velocities_;
};

}  // namespace hilserl_controllers
