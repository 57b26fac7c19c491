// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/rotation.hpp"

#include <cmath>

namespace hilserl_control {

namespace {
// Below this the series are exact to double precision.
constexpr double kSmallAngle = 1e-6;
}  // namespace

Vector3 log3(const Quaternion& rotation) noexcept {
  // q and -q are the same rotation; take the shorter way.
  const double sign = rotation.w() < 0.0 ? -1.0 : 1.0;
  const Vector3 vector = sign * rotation.vec();
  const double sine = vector.norm();
  if (sine < kSmallAngle) return 2.0 * vector;
  return (2.0 * std::atan2(sine, sign * rotation.w()) / sine) * vector;
}

Quaternion exp3(const Vector3& rotation_vector) noexcept {
  const double angle = rotation_vector.norm();
  const double scale = angle < kSmallAngle ? 0.5 : std::sin(0.5 * angle) / angle;
  Quaternion result;
  result.w() = std::cos(0.5 * angle);
  result.vec() = scale * rotation_vector;
  return result;
}

double smoothing_factor(double dt, double time_constant) noexcept {
  return time_constant > 0.0 ? -std::expm1(-dt / time_constant) : 1.0;
}

bool limit_norm(Eigen::Ref<Vector3> vector, double limit) noexcept {
  const double norm = vector.stableNorm();
  if (!(norm > limit)) return false;
  vector *= limit / norm;
  return true;
}

}  // namespace hilserl_control
