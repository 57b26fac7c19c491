// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/push_limits.hpp"

#include <cmath>
#include <sstream>
#include <stdexcept>

namespace hilserl_control {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr const char* kAxes[] = {"x", "y", "z", "rotation about x", "rotation about y", "rotation about z"};

[[noreturn]] void fail(const char* side, Eigen::Index axis, double limit, const std::string& rule) {
  const char* unit = axis < 3 ? " N" : " Nm";
  std::ostringstream text;
  text << "push limit " << side << " on " << kAxes[axis] << " is " << limit << unit << ": " << rule;
  throw std::invalid_argument(text.str());
}

Vector6 clips(const char* side, const Vector6& stiffness, const Vector6& limits) {
  Vector6 clip = Vector6::Zero();
  for (Eigen::Index i = 0; i < 6; ++i) {
    const double limit = limits[i];
    if (!(std::isfinite(limit) && limit >= 0.0))
      fail(side, i, limit, "is a magnitude: finite, not negative, e.g. 11 N");
    if (limit == 0.0) continue;
    if (!(std::isfinite(stiffness[i]) && stiffness[i] > 0.0))
      fail(side, i, limit,
           "the axis has no stiffness, so no clip gives this push; set gains.stiffness first");
    clip[i] = limit / stiffness[i];
    if (i < 3 || clip[i] <= kPi) continue;
    std::ostringstream rule;
    rule << "with " << stiffness[i] << " Nm/rad the clip would be " << clip[i]
         << " rad, more than pi; lower the limit or raise gains.stiffness";
    fail(side, i, limit, rule.str());
  }
  return clip;
}

}  // namespace

PushLimits push_limits(const Gains& gains) noexcept {
  return {gains.stiffness.cwiseProduct(gains.clip_negative),
          gains.stiffness.cwiseProduct(gains.clip_positive)};
}

void set_push_limits(Gains& gains, const PushLimits& limits) {
  const Vector6 negative = clips("towards minus", gains.stiffness, limits.negative);
  const Vector6 positive = clips("towards plus", gains.stiffness, limits.positive);
  gains.clip_negative = negative;
  gains.clip_positive = positive;
}

}  // namespace hilserl_control
