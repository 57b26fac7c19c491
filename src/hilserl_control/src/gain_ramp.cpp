// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/gain_ramp.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

GainRamp::GainRamp(const ControllerConfig& config) noexcept : time_constant_(config.gain_time_constant) {
  set(Profile::kImpedance, config.gains);
  set(Profile::kWrench, config.wrench_gains);
  finish();
}

void GainRamp::set(Profile profile, const Gains& gains) noexcept {
  goals_[static_cast<std::size_t>(profile)] =
      Values{gains.stiffness.cwiseSqrt(), resolved_damping(gains), gains.integral, gains.clip_negative,
             gains.clip_positive};
}

void GainRamp::advance(double dt) noexcept {
  const double factor = smoothing_factor(dt, time_constant_);
  const Values& wanted = goal();
  active_.root_stiffness += factor * (wanted.root_stiffness - active_.root_stiffness);
  active_.damping += factor * (wanted.damping - active_.damping);
  active_.integral += factor * (wanted.integral - active_.integral);
  active_.clip_negative += factor * (wanted.clip_negative - active_.clip_negative);
  active_.clip_positive += factor * (wanted.clip_positive - active_.clip_positive);
}

Vector6 GainRamp::free_axes() const noexcept {
  return (goal().root_stiffness.array() == 0.0).cast<double>().matrix();
}

}  // namespace hilserl_control
