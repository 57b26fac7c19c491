// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/gain_ramp.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

GainRamp::GainRamp(const Gains& gains, double time_constant) noexcept : time_constant_(time_constant) {
  set(gains);
  finish();
}

void GainRamp::set(const Gains& gains) noexcept {
  goal_ = Values{gains.stiffness.cwiseSqrt(), resolved_damping(gains), gains.integral, gains.clip_negative,
                 gains.clip_positive};
}

void GainRamp::advance(double dt) noexcept {
  const double factor = smoothing_factor(dt, time_constant_);
  active_.root_stiffness += factor * (goal_.root_stiffness - active_.root_stiffness);
  active_.damping += factor * (goal_.damping - active_.damping);
  active_.integral += factor * (goal_.integral - active_.integral);
  active_.clip_negative += factor * (goal_.clip_negative - active_.clip_negative);
  active_.clip_positive += factor * (goal_.clip_positive - active_.clip_positive);
}

}  // namespace hilserl_control
