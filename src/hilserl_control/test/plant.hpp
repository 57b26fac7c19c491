// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>

#include "hilserl_control/types.hpp"

namespace hilserl_control::testing {

/// A plausible measurement of a 7-joint arm around its ready posture: a full-rank Jacobian, small motion, a
/// positive definite mass matrix.
inline Measurement random_measurement(std::mt19937& random, Eigen::Index joints = 7) {
  std::uniform_real_distribution<double> unit(-1.0, 1.0);
  const auto draw = [&] { return unit(random); };
  Measurement m;
  m.q = JointVector::NullaryExpr(joints, [&](Eigen::Index) { return 0.3 * draw(); });
  m.q[3] = -2.0 + 0.3 * draw();
  m.q[5] = 1.8 + 0.3 * draw();
  m.dq = JointVector::NullaryExpr(joints, [&](Eigen::Index) { return 0.2 * draw(); });
  m.bias = JointVector::NullaryExpr(joints, [&](Eigen::Index) { return draw(); });
  m.jacobian = Jacobian::NullaryExpr(6, joints, [&](Eigen::Index, Eigen::Index) { return 0.6 * draw(); });
  const JointMatrix root =
      JointMatrix::NullaryExpr(joints, joints, [&](Eigen::Index, Eigen::Index) { return draw(); });
  m.mass = 0.3 * JointMatrix::Identity(joints, joints);
  m.mass += 0.2 * root.lazyProduct(root.transpose());
  m.twist = Vector6::NullaryExpr([&](Eigen::Index) { return 0.1 * draw(); });
  m.pose.position = Vector3(0.5, 0.0, 0.2) + 0.02 * Vector3(draw(), draw(), draw());
  m.pose.orientation = Quaternion(0.05 * draw(), 1.0, 0.05 * draw(), 0.05 * draw()).normalized();
  return m;
}

}  // namespace hilserl_control::testing
