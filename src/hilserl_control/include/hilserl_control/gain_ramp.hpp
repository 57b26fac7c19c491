// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// Gains and clips in use. A new profile is reached by a first-order ramp, so that the wrench never steps.
/// The square root of the stiffness is what ramps: then damping by ratio belongs to the stiffness at every
/// moment of the ramp.
class GainRamp {
 public:
  GainRamp(const Gains& gains, double time_constant) noexcept;

  void set(const Gains& gains) noexcept;
  /// Uses the last profile set at once.
  void finish() noexcept { active_ = goal_; }
  void advance(double dt) noexcept;

  Vector6 stiffness() const noexcept { return active_.root_stiffness.cwiseAbs2(); }
  const Vector6& damping() const noexcept { return active_.damping; }
  const Vector6& integral() const noexcept { return active_.integral; }
  const Vector6& clip_negative() const noexcept { return active_.clip_negative; }
  const Vector6& clip_positive() const noexcept { return active_.clip_positive; }
  /// The profile last set asks for integral action on this axis.
  bool integrates(Eigen::Index axis) const noexcept { return goal_.integral[axis] > 0.0; }

 private:
  struct Values {
    Vector6 root_stiffness;
    Vector6 damping;
    Vector6 integral;
    Vector6 clip_negative;
    Vector6 clip_positive;
  };

  double time_constant_;
  Values goal_;
  Values active_;
};

}  // namespace hilserl_control
