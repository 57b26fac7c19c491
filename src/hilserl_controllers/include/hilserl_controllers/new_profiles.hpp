// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "hilserl_control/config.hpp"

namespace hilserl_controllers {

/// Compliance profiles on their way into update(), one value.
struct NewProfiles {
  std::uint64_t number = 0;  ///< counts changes
  hilserl_control::Gains impedance;
  hilserl_control::Gains wrench;
};

}  // namespace hilserl_controllers
