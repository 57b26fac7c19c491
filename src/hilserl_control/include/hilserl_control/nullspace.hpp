// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// (I - J^T (J J^T + lambda^2 I)^-1 J) effort: the part that, by the Jacobian, does not push at the tcp.
JointVector project_to_nullspace(const Jacobian& jacobian, const JointVector& effort,
                                 double regularization) noexcept;

/// (I - J^T (J M^-1 J^T + lambda^2 I)^-1 J M^-1) effort: the part that does not accelerate the tcp. False,
/// and `effort` as it was, when the mass matrix is not finite, of another size or not positive definite.
bool project_to_dynamic_nullspace(const Jacobian& jacobian, const JointMatrix& mass, double regularization,
                                  JointVector& effort) noexcept;

/// Spring and damper towards a posture, in the nullspace of the tcp.
class Nullspace {
 public:
  explicit Nullspace(const ControllerConfig& config) noexcept;

  /// The posture of the config, or `q` when it has none.
  void reset(const JointVector& q) noexcept;

  /// Nm per joint. `fallback` becomes true when the dynamic projection was asked for and the kinematic one
  /// had to do.
  JointVector effort(const Measurement& measurement, bool& fallback) const noexcept;

 private:
  NullspaceMode mode_;
  std::optional<JointVector> fixed_posture_;
  JointVector posture_;
  JointVector stiffness_;
  JointVector damping_;
  double regularization_;
};

}  // namespace hilserl_control
