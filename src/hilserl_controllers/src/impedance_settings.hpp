// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hilserl_controllers/cartesian_impedance_controller_parameters.hpp>

#include "common_settings.hpp"
#include "hilserl_controllers/arm_model.hpp"

namespace hilserl_controllers {

using ImpedanceParams = cartesian_impedance_controller::Params;

// Both throw std::invalid_argument naming parameter, value and rule.

/// The part of the parameters that says which arm it is.
ArmFrames arm_frames(const ImpedanceParams& params);

/// Everything the law needs.
ControllerConfig law_config(const ImpedanceParams& params, const DescribedLimits& described);

}  // namespace hilserl_controllers
