// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <realtime_tools/realtime_thread_safe_box.hpp>
#include <vector>

#include "hilserl_control/config.hpp"

namespace hilserl_controllers {

/// Both compliance profiles of the parameters.
struct Profiles {
  hilserl_control::Gains impedance;
  hilserl_control::Gains wrench;
};

/// Compliance profiles on their way from a parameter change into update(), as one value: no cycle ever sees
/// the stiffness of one change with the clip of another. All other parameters are read-only.
class ProfileChanges {
 public:
  /// The profiles as they will be with `changed`. Throws std::invalid_argument with parameter, value and
  /// rule.
  using Reader = std::function<Profiles(const std::vector<rclcpp::Parameter>& changed)>;

  /// From now on a change that `read` refuses is refused with its reason.
  ProfileChanges(rclcpp_lifecycle::LifecycleNode& node, Reader read);

  /// Called after an accepted change: update() takes it in its next cycle.
  void use(const Profiles& profiles);

  /// Real-time thread: gives `law` the newest profiles once. Never blocks: when the box is being written,
  /// they come in the next cycle.
  template <typename Law>
  void hand_to(Law& law) noexcept {
    const auto newest = box_.try_get();
    if (!newest || newest->number == in_use_) return;
    law.set_gains(newest->profiles.impedance);
    law.set_wrench_gains(newest->profiles.wrench);
    in_use_ = newest->number;
  }

 private:
  struct Numbered {
    std::uint64_t number = 0;  ///< counts changes
    Profiles profiles;
  };

  rcl_interfaces::msg::SetParametersResult check(const std::vector<rclcpp::Parameter>& changed) const;

  Reader read_;
  std::uint64_t changes_ = 0;
  std::uint64_t in_use_ = 0;
  realtime_tools::RealtimeThreadSafeBox<Numbered> box_;
  rclcpp::node_interfaces::OnSetParametersCallbackHandle::SharedPtr callback_;
};

}  // namespace hilserl_controllers
