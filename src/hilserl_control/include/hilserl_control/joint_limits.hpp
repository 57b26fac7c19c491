// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"
#include "hilserl_control/state.hpp"

namespace hilserl_control {

/// Last steps, joint by joint: repulsion from position limits, effort cap, rate limit.
class JointLimits {
 public:
  explicit JointLimits(const ControllerConfig& config) noexcept;

  /// Nm away from a position limit, linear over the margin, bounded; marks JOINT_LIMIT.
  JointVector repulsion(const JointVector& q, JointFlags& flags) const noexcept;

  /// Bounds to the effort limits; marks EFFORT.
  void cap(JointVector& effort, JointFlags& flags) const noexcept;

  /// Bounds the change from `last` to rate * dt; marks RATE.
  void limit_rate(JointVector& effort, const JointVector& last, double dt, JointFlags& flags) const noexcept;

 private:
  JointVector lower_;
  JointVector upper_;
  JointVector effort_limits_;
  JointVector max_rate_;
  double margin_;
  double repulsion_;
};

}  // namespace hilserl_control
