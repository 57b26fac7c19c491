// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/config.hpp"

namespace hilserl_control {

ControllerConfig::ControllerConfig()
    : effort_limits(7), joint_lower(7), joint_upper(7), max_effort_rate(JointVector::Constant(1, 1000.0)) {
  // Franka Panda, "Robot and interface specifications" of the FCI documentation.
  effort_limits << 87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0;
  joint_lower << -2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973;
  joint_upper << 2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973;
}

Gains free_gains() noexcept {
  Gains gains;
  gains.stiffness.setZero();
  // 20 N go no faster than 0.5 m/s in free space, 5 Nm no faster than 2.5 rad/s.
  gains.damping = (Vector6() << 40.0, 40.0, 40.0, 2.0, 2.0, 2.0).finished();
  gains.clip_negative << Vector3::Constant(0.01), Vector3::Constant(0.1);
  gains.clip_positive = gains.clip_negative;
  return gains;
}

Vector6 resolved_damping(const Gains& gains) noexcept {
  if (gains.damping) return *gains.damping;
  return 2.0 * gains.damping_ratio.cwiseProduct(gains.stiffness.cwiseSqrt());
}

}  // namespace hilserl_control
