// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hilserl_controllers/cartesian_admittance_controller_parameters.hpp>

#include "common_settings.hpp"
#include "hilserl_control/admittance.hpp"
#include "hilserl_controllers/arm_model.hpp"

namespace hilserl_controllers {

using AdmittanceParams = cartesian_admittance_controller::Params;

/// The part of the parameters that says which arm it is.
ArmFrames arm_frames(const AdmittanceParams& params);

/// Everything the law needs. Throws std::invalid_argument naming parameter, value and rule.
hilserl_control::AdmittanceConfig law_config(const AdmittanceParams& params,
                                             const DescribedLimits& described);

}  // namespace hilserl_controllers
