// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// How hard a blocked arm pushes, N and Nm per axis: stiffness times clip. Magnitudes.
struct PushLimits {
  Vector6 negative = Vector6::Zero();  ///< towards minus
  Vector6 positive = Vector6::Zero();  ///< towards plus
};

PushLimits push_limits(const Gains& gains) noexcept;

/// Sets the clips so that the arm pushes with `limits`: clip = limit / stiffness. Set the stiffness first.
/// Throws std::invalid_argument naming axis, value and rule: a limit that is negative or not finite, one
/// above 0 on an axis without stiffness (there is no such clip), a rotation clip that would be beyond pi.
void set_push_limits(Gains& gains, const PushLimits& limits);

}  // namespace hilserl_control
