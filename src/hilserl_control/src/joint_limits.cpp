// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/joint_limits.hpp"

#include <algorithm>

namespace hilserl_control {

namespace {

void mark(JointFlags& flags, Eigen::Index joint, JointLimitFlag flag) noexcept {
  auto& bits = flags[static_cast<std::size_t>(joint)];
  bits = static_cast<std::uint8_t>(bits | flag);
}

/// Bounds `values` to [lower, upper] and marks the joints that moved.
void clamp(JointVector& values, const JointVector& lower, const JointVector& upper, JointFlags& flags,
           JointLimitFlag flag) noexcept {
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    const double bounded = std::clamp(values[i], lower[i], upper[i]);
    if (bounded != values[i]) mark(flags, i, flag);
    values[i] = bounded;
  }
}

}  // namespace

JointLimits::JointLimits(const ControllerConfig& config) noexcept
    : lower_(config.joint_lower),
      upper_(config.joint_upper),
      effort_limits_(config.effort_limits),
      max_rate_(config.max_effort_rate),
      margin_(config.joint_limit_margin),
      repulsion_(config.joint_limit_effort) {
  if (max_rate_.size() == 1) max_rate_ = JointVector::Constant(config.joints, config.max_effort_rate[0]);
}

JointVector JointLimits::repulsion(const JointVector& q, JointFlags& flags) const noexcept {
  JointVector effort = JointVector::Zero(q.size());
  if (margin_ <= 0.0) return effort;
  for (Eigen::Index i = 0; i < q.size(); ++i) {
    const double below = std::clamp((lower_[i] + margin_ - q[i]) / margin_, 0.0, 1.0);
    const double above = std::clamp((q[i] - upper_[i] + margin_) / margin_, 0.0, 1.0);
    effort[i] = repulsion_ * (below - above);
    if (below > 0.0 || above > 0.0) mark(flags, i, kJointLimit);
  }
  return effort;
}

void JointLimits::cap(JointVector& effort, JointFlags& flags) const noexcept {
  clamp(effort, -effort_limits_, effort_limits_, flags, kEffort);
}

void JointLimits::limit_rate(JointVector& effort, const JointVector& last, double dt,
                             JointFlags& flags) const noexcept {
  clamp(effort, last - max_rate_ * dt, last + max_rate_ * dt, flags, kRate);
}

}  // namespace hilserl_control
