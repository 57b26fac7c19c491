// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// Rules that limited an axis (bits of State::limit_flags; the values of
/// hilserl_msgs/CartesianControllerState). Rules on a norm (SPEED, WRENCH_CAP) mark the three axes of their
/// triplet.
enum LimitFlag : std::uint8_t {
  kClip = 1,
  kWorkspace = 2,
  kSpeed = 4,
  kWrenchCap = 8,
  kInvalidTarget = 16,
};

/// Rules that limited a joint (bits of State::joint_limit_flags).
enum JointLimitFlag : std::uint8_t {
  kEffort = 1,
  kRate = 2,
  kJointLimit = 4,
};

using AxisFlags = std::array<std::uint8_t, 6>;
using JointFlags = std::array<std::uint8_t, kMaxJoints>;

/// What the last update did. Base axes.
struct State {
  Pose reference;                           ///< what the law tracks now
  Vector6 error = Vector6::Zero();          ///< reference - measured, m and rad (rotation vector)
  Vector6 error_clipped = Vector6::Zero();  ///< what the stiffness acts on
  Vector6 wrench = Vector6::Zero();         ///< commanded at the tcp, N and Nm
  JointVector effort;                       ///< commanded, Nm
  double target_age = 0.0;                  ///< s since the stamp of the last valid target, or since reset
  bool holding = true;                      ///< no target or a stale one: the reference stands still
  bool invalid_measurement = false;  ///< not finite or wrong size: effort goes to zero at the rate limit
  AxisFlags limit_flags{};
  JointFlags joint_limit_flags{};
};

/// Sets `flag` on three axes from `first`.
inline void mark_triplet(AxisFlags& flags, std::size_t first, LimitFlag flag) noexcept {
  for (std::size_t i = first; i < first + 3; ++i) flags[i] = static_cast<std::uint8_t>(flags[i] | flag);
}

}  // namespace hilserl_control
