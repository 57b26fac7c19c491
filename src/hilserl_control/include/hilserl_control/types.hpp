// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <cstdint>

namespace hilserl_control {

/// Storage is fixed for this many joints, so that nothing in the law ever allocates.
inline constexpr Eigen::Index kMaxJoints = 8;

using Vector3 = Eigen::Vector3d;
using Quaternion = Eigen::Quaterniond;
using Vector6 = Eigen::Matrix<double, 6, 1>;  ///< x y z, then rotation about x y z
using Matrix6 = Eigen::Matrix<double, 6, 6>;
using JointVector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, kMaxJoints, 1>;
using Jacobian = Eigen::Matrix<double, 6, Eigen::Dynamic, 0, 6, kMaxJoints>;
using JointMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, kMaxJoints, kMaxJoints>;

/// base_T_tcp: position in metres, unit quaternion.
struct Pose {
  Vector3 position = Vector3::Zero();
  Quaternion orientation = Quaternion::Identity();
};

/// What a target asks for; the values of hilserl_msgs/CartesianTarget.
enum class Mode : std::uint8_t {
  kPose = 0,           ///< impedance towards `pose`
  kTwist = 1,          ///< impedance towards a reference that moves with `twist`
  kWrench = 2,         ///< `wrench`, damped, inside soft walls
  kPoseAndWrench = 3,  ///< both: the impedance wrench plus `wrench`
};

/// Axes in which Target::wrench is given. It acts at the tcp in either case.
enum class WrenchFrame : std::uint8_t {
  kBase = 0,
  kTcp = 1,  ///< turns with the hand
};

/// What the host asks for in one and the same cycle. Only what the mode names is read and validated.
struct Target {
  Pose pose;                         ///< base_T_target
  Vector6 twist = Vector6::Zero();   ///< base axes, m/s and rad/s
  Vector6 wrench = Vector6::Zero();  ///< N, Nm
  double stamp = 0.0;                ///< s, on the same clock as Measurement::now
  Mode mode = Mode::kPose;
  WrenchFrame wrench_frame = WrenchFrame::kBase;
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
  JointMatrix mass;  ///< kg m^2, symmetric; for the dynamic nullspace only, empty where there is none
};

}  // namespace hilserl_control
