// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// (I - J^T (J J^T + lambda^2 I)^-1 J) effort: the part that, by the Jacobian, does not move the tcp.
JointVector project_to_nullspace(const Jacobian& jacobian, const JointVector& effort,
                                 double regularization) noexcept;

/// Spring and damper towards a posture, in the nullspace of the tcp.
class Nullspace {
 public:
  explicit Nullspace(const ControllerConfig& config) noexcept;

  /// The posture of the config, or `q` when it has none.
  void reset(const JointVector& q) noexcept;

  /// Nm per joint.
  JointVector effort(const JointVector& q, const JointVector& dq, const Jacobian& jacobian) const noexcept;

 private:
  std::optional<JointVector> fixed_posture_;
  JointVector posture_;
  JointVector stiffness_;
  JointVector damping_;
  double regularization_;
};

}  // namespace hilserl_control
