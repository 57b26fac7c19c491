// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>

namespace hilserl_control {

/// Storage is fixed for this many joints, so that nothing in the law ever allocates.
inline constexpr Eigen::Index kMaxJoints = 8;

using Vector3 = Eigen::Vector3d;
using Quaternion = Eigen::Quaterniond;
using Vector6 = Eigen::Matrix<double, 6, 1>;  ///< x y z, then rotation about x y z
using Matrix6 = Eigen::Matrix<double, 6, 6>;
using JointVector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, kMaxJoints, 1>;
using Jacobian = Eigen::Matrix<double, 6, Eigen::Dynamic, 0, 6, kMaxJoints>;

/// base_T_tcp: position in metres, unit quaternion.
struct Pose {
  Vector3 position = Vector3::Zero();
  Quaternion orientation = Quaternion::Identity();
};

/// What the host asks for. Everything in base axes; the wrench acts at the tcp.
struct Target {
  Pose pose;
  Vector6 feedforward_wrench = Vector6::Zero();  ///< N, Nm, added to the impedance wrench
  double stamp = 0.0;                            ///< s, on the same clock as Measurement::now
};

/// What the host measured this cycle.
struct Measurement {
  double now = 0.0;                 ///< s
  double dt = 0.0;                  ///< s since the last update
  JointVector q;                    ///< rad
  JointVector dq;                   ///< rad/s
  Pose pose;                        ///< base_T_tcp
  Vector6 twist = Vector6::Zero();  ///< of the tcp, base axes, m/s and rad/s
  Jacobian jacobian;                ///< 6 x joints, of the tcp, base axes (LOCAL_WORLD_ALIGNED)
  JointVector bias;                 ///< Nm to be fed forward: Coriolis and, where the robot does not, gravity
};

}  // namespace hilserl_control
