// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// Rotation vector of a unit quaternion, angle in [0, pi].
Vector3 log3(const Quaternion& rotation) noexcept;

/// Unit quaternion of a rotation vector.
Quaternion exp3(const Vector3& rotation_vector) noexcept;

/// Part of the way that a first-order filter goes in `dt`, the same motion at any update rate. 1 without a
/// filter.
double smoothing_factor(double dt, double time_constant) noexcept;

/// Shortens `vector` to `limit`; true when it did.
bool limit_norm(Eigen::Ref<Vector3> vector, double limit) noexcept;

}  // namespace hilserl_control
