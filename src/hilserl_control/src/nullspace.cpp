// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/nullspace.hpp"

#include <Eigen/Cholesky>

namespace hilserl_control {

JointVector project_to_nullspace(const Jacobian& jacobian, const JointVector& effort,
                                 double regularization) noexcept {
  // LDLT of the 6x6 instead of an SVD: regular at singular postures thanks to lambda, fixed size, a few
  // hundred flops.
  Matrix6 gram = jacobian.lazyProduct(jacobian.transpose());
  gram.diagonal().array() += regularization * regularization;
  const Vector6 moved = jacobian.lazyProduct(effort);
  const Vector6 solved = gram.ldlt().solve(moved);
  JointVector projected = effort;
  projected -= jacobian.transpose().lazyProduct(solved);
  return projected;
}

Nullspace::Nullspace(const ControllerConfig& config) noexcept
    : fixed_posture_(config.nullspace_posture),
      posture_(JointVector::Zero(config.joints)),
      stiffness_(JointVector::Constant(config.joints, config.nullspace_stiffness)),
      regularization_(config.nullspace_regularization) {
  stiffness_[0] += config.joint1_nullspace_stiffness;
  damping_ = 2.0 * config.nullspace_damping_ratio * stiffness_.cwiseSqrt();
}

void Nullspace::reset(const JointVector& q) noexcept {
  posture_ = fixed_posture_ ? *fixed_posture_ : q;
}

JointVector Nullspace::effort(const JointVector& q, const JointVector& dq,
                              const Jacobian& jacobian) const noexcept {
  const JointVector spring = stiffness_.cwiseProduct(posture_ - q) - damping_.cwiseProduct(dq);
  return project_to_nullspace(jacobian, spring, regularization_);
}

}  // namespace hilserl_control
