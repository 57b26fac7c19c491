// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hilserl_control/types.hpp"

namespace hilserl_controllers {

using hilserl_control::Jacobian;
using hilserl_control::JointMatrix;
using hilserl_control::JointVector;
using hilserl_control::Pose;
using hilserl_control::Vector3;
using hilserl_control::Vector6;

/// Which part of the robot description is the arm.
struct ArmFrames {
  std::vector<std::string> joints;   ///< in the order of all joint vectors
  std::string base_frame;            ///< link whose axes carry targets, errors and wrenches
  std::string end_effector_frame;    ///< link that is the tcp
  Vector3 gravity{0.0, 0.0, -9.81};  ///< m/s^2, in the axes of the description's root link
};

/// Bounds the robot description gives; infinite where it gives none (continuous joints). One entry a joint.
struct DescribedLimits {
  JointVector lower;     ///< rad
  JointVector upper;     ///< rad
  JointVector effort;    ///< Nm
  JointVector velocity;  ///< rad/s
};

/// Kinematics and rigid-body dynamics of an arm from its robot description, computed by Pinocchio. Joints of
/// the description that are not the arm's (fingers, a second arm) stand at zero.
class ArmModel {
 public:
  /// Throws std::invalid_argument that names what is wrong, its value and the rule: a description that cannot
  /// be read, a joint or frame that is not in it, joints that are not the chain from base to end effector.
  ArmModel(const std::string& robot_description, const ArmFrames& frames);
  ~ArmModel();
  ArmModel(ArmModel&&) noexcept;
  ArmModel& operator=(ArmModel&&) noexcept;

  Eigen::Index joints() const noexcept;
  const DescribedLimits& limits() const noexcept;

  /// end_effector_T_frame of a link that is rigidly connected to the end effector. Throws
  /// std::invalid_argument naming `parameter` when it is not.
  Pose fixed_on_end_effector(const std::string& frame, const std::string& parameter) const;

  /// Pose and Jacobian at `q`; what is not finite leaves them as they were. Does not allocate, lock, throw or
  /// log.
  void update_kinematics(const JointVector& q) noexcept;
  const Pose& pose() const noexcept;  ///< base_T_end_effector
  const Jacobian& jacobian()
      const noexcept;  ///< of the tcp in base axes (LOCAL_WORLD_ALIGNED turned to base)

  /// Dynamics at `q`, `dq`, with the same rules.
  void update_dynamics(const JointVector& q, const JointVector& dq) noexcept;
  const JointVector& coriolis() const noexcept;  ///< Nm, C(q, dq) dq
  const JointVector& gravity() const noexcept;   ///< Nm, g(q)
  const JointMatrix& mass() const noexcept;      ///< kg m^2, M(q)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hilserl_controllers
