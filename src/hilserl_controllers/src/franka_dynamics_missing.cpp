// SPDX-License-Identifier: Apache-2.0
// Built where franka_semantic_components is not installed.
#include <stdexcept>

#include "hilserl_controllers/dynamics_source.hpp"

namespace hilserl_controllers {

std::unique_ptr<DynamicsSource> make_franka_dynamics(const std::string& /*arm*/, Eigen::Index /*joints*/) {
  throw std::invalid_argument(
      "Parameter 'dynamics.source' is franka: this build has no Franka support. Install franka_ros2 "
      "(franka_semantic_components) and build hilserl_controllers again, or use pinocchio");
}

}  // namespace hilserl_controllers
