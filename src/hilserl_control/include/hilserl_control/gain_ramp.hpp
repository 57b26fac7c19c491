// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "hilserl_control/config.hpp"
#include "hilserl_control/mode.hpp"

namespace hilserl_control {

/// Gains and clips in use. Another profile, or new numbers of the one in use, are reached by a first-order
/// ramp, so that the wrench never steps. The square root of the stiffness is what ramps: then damping by
/// ratio belongs to the stiffness at every moment of the ramp.
class GainRamp {
 public:
  explicit GainRamp(const ControllerConfig& config) noexcept;

  void set(Profile profile, const Gains& gains) noexcept;
  void use(Profile profile) noexcept { used_ = profile; }
  /// Uses the numbers last set at once.
  void finish() noexcept { active_ = goal(); }
  void advance(double dt) noexcept;

  Vector6 stiffness() const noexcept { return active_.root_stiffness.cwiseAbs2(); }
  const Vector6& damping() const noexcept { return active_.damping; }
  const Vector6& integral() const noexcept { return active_.integral; }
  const Vector6& clip_negative() const noexcept { return active_.clip_negative; }
  const Vector6& clip_positive() const noexcept { return active_.clip_positive; }
  /// The profile in use asks for integral action on this axis.
  bool integrates(Eigen::Index axis) const noexcept { return goal().integral[axis] > 0.0; }
  /// 1 on the axes to which the profile in use gives no stiffness, 0 on the others.
  Vector6 free_axes() const noexcept;

 private:
  struct Values {
    Vector6 root_stiffness;
    Vector6 damping;
    Vector6 integral;
    Vector6 clip_negative;
    Vector6 clip_positive;
  };

  const Values& goal() const noexcept { return goals_[static_cast<std::size_t>(used_)]; }

  double time_constant_;
  Profile used_ = Profile::kImpedance;
  std::array<Values, 2> goals_;
  Values active_;
};

}  // namespace hilserl_control
