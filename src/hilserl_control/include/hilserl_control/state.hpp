// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "hilserl_control/types.hpp"

namespace hilserl_control {

/// Rules that limited an axis (bits of State::limit_flags; the values of
/// hilserl_msgs/CartesianControllerState). Rules on a norm (SPEED, WRENCH_CAP, WRENCH_RATE) mark the three
/// axes of their triplet. Base axes, but WRENCH_LIMIT of a commanded wrench: the axes it is given in.
enum LimitFlag : std::uint8_t {
  kClip = 1,            ///< error beyond the clip; of a twist: no further lead over a blocked arm
  kWorkspace = 2,       ///< target outside the workspace box or the orientation bound
  kSpeed = 4,           ///< reference at its speed limit
  kWrenchCap = 8,       ///< norm of force or torque
  kInvalidTarget = 16,  ///< the last target given was refused
  kWrenchLimit = 32,    ///< commanded wrench or integral part at its limit per axis
  kWrenchRate = 64,     ///< commanded wrench still on its way to what is asked for
  kWall = 128,          ///< a soft workspace wall pushes back
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
  Vector6 push_negative = Vector6::Zero();  ///< stiffness times clip now: bound of the static push, N and Nm
  Vector6 push_positive = Vector6::Zero();
  Vector6 commanded_wrench = Vector6::Zero();  ///< of the target, limited and slewed
  Vector6 wall_wrench = Vector6::Zero();       ///< of the soft workspace walls
  Vector6 wrench = Vector6::Zero();            ///< of everything, at the tcp, N and Nm
  JointVector effort;                          ///< commanded, Nm
  double target_age = 0.0;                     ///< s since the stamp of the last valid target, or since reset
  Mode mode = Mode::kPose;  ///< in force; a stale wrench is in force until it has faded, then a pose is held
  bool holding = true;      ///< no target or a stale one
  bool wrench_stale = false;         ///< the target's wrench is too old: it fades to zero
  bool nullspace_fallback = false;   ///< dynamic nullspace without a usable mass matrix: it was kinematic
  bool invalid_measurement = false;  ///< not finite or wrong size: effort goes to zero at the rate limit
  AxisFlags limit_flags{};
  JointFlags joint_limit_flags{};
};

/// Sets `flag` on one axis.
inline void mark(AxisFlags& flags, Eigen::Index axis, LimitFlag flag) noexcept {
  auto& bits = flags[static_cast<std::size_t>(axis)];
  bits = static_cast<std::uint8_t>(bits | flag);
}

/// Sets `flag` on three axes from `first`.
inline void mark_triplet(AxisFlags& flags, std::size_t first, LimitFlag flag) noexcept {
  for (std::size_t i = first; i < first + 3; ++i) flags[i] = static_cast<std::uint8_t>(flags[i] | flag);
}

}  // namespace hilserl_control
