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

bool project_to_dynamic_nullspace(const Jacobian& jacobian, const JointMatrix& mass, double regularization,
                                  JointVector& effort) noexcept {
  const Eigen::Index joints = effort.size();
  if (mass.rows() != joints || mass.cols() != joints || !mass.allFinite()) return false;
  const Eigen::LDLT<JointMatrix> inertia(mass);
  if (inertia.info() != Eigen::Success || inertia.vectorD().minCoeff() <= 0.0) return false;
  using Tall = Eigen::Matrix<double, Eigen::Dynamic, 6, 0, kMaxJoints, 6>;
  const Tall weighted = inertia.solve(jacobian.transpose());  // M^-1 J^T
  Matrix6 gram = jacobian.lazyProduct(weighted);
  gram.diagonal().array() += regularization * regularization;
  const Vector6 accelerated = weighted.transpose().lazyProduct(effort);
  const Vector6 solved = gram.ldlt().solve(accelerated);
  JointVector projected = effort;
  projected -= jacobian.transpose().lazyProduct(solved);
  if (!projected.allFinite()) return false;
  effort = projected;
  return true;
}

Nullspace::Nullspace(const ControllerConfig& config) noexcept
    : mode_(config.nullspace_mode),
      fixed_posture_(config.nullspace_posture),
      posture_(JointVector::Zero(config.joints)),
      stiffness_(JointVector::Constant(config.joints, config.nullspace_stiffness)),
      regularization_(config.nullspace_regularization) {
  stiffness_[0] += config.joint1_nullspace_stiffness;
  damping_ = 2.0 * config.nullspace_damping_ratio * stiffness_.cwiseSqrt();
}

void Nullspace::reset(const JointVector& q) noexcept {
  posture_ = fixed_posture_ ? *fixed_posture_ : q;
}

JointVector Nullspace::effort(const Measurement& m, bool& fallback) const noexcept {
  if (mode_ == NullspaceMode::kNone) return JointVector::Zero(m.q.size());
  JointVector spring = stiffness_.cwiseProduct(posture_ - m.q) - damping_.cwiseProduct(m.dq);
  if (mode_ == NullspaceMode::kDynamic) {
    if (project_to_dynamic_nullspace(m.jacobian, m.mass, regularization_, spring)) return spring;
    fallback = true;
  }
  return project_to_nullspace(m.jacobian, spring, regularization_);
}

}  // namespace hilserl_control
