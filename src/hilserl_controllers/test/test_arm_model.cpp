// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <random>
#include <stdexcept>

#include "arm_description.hpp"
#include "hilserl_control/rotation.hpp"
#include "hilserl_controllers/arm_model.hpp"

namespace hilserl_controllers {
namespace {

using testing::arm_description;
using testing::arm_joints;
using testing::ArmOptions;
using ::testing::HasSubstr;

ArmFrames frames() {
  return {arm_joints(), "base", "tcp", {0.0, 0.0, -9.81}};
}

JointVector ready() {
  return (JointVector(7) << 0.1, -0.4, 0.2, -2.1, 0.3, 1.8, 0.6).finished();
}

std::string reason(const std::string& description, const ArmFrames& given) {
  try {
    ArmModel model(description, given);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

/// Numerical Jacobian in base axes.
Jacobian differentiated(ArmModel& model, const JointVector& q) {
  constexpr double kStep = 1e-6;
  Jacobian jacobian(6, q.size());
  for (Eigen::Index i = 0; i < q.size(); ++i) {
    JointVector moved = q;
    moved[i] += kStep;
    model.update_kinematics(moved);
    const Pose after = model.pose();
    moved[i] -= 2.0 * kStep;
    model.update_kinematics(moved);
    const Pose before = model.pose();
    jacobian.col(i).head<3>() = (after.position - before.position) / (2.0 * kStep);
    jacobian.col(i).tail<3>() =
        hilserl_control::log3(after.orientation * before.orientation.conjugate()) / (2.0 * kStep);
  }
  model.update_kinematics(q);
  return jacobian;
}

TEST(ArmModel, ReadyPoseOfAPanda) {
  ArmModel model(arm_description(), frames());
  model.update_kinematics(
      (JointVector(7) << 0.0, -M_PI_4, 0.0, -3.0 * M_PI_4, 0.0, M_PI_2, M_PI_4).finished());
  // Flange of a Panda in its ready posture: x 0.307 m, z 0.590 m above the 0.107 m flange; here 0.2 m tool.
  EXPECT_NEAR(model.pose().position[0], 0.30689, 1e-4);
  EXPECT_NEAR(model.pose().position[1], 0.0, 1e-6);
  EXPECT_NEAR(model.pose().position[2], 0.69728 - 0.2, 1e-3);
}

// Defect 6 of the references: Jacobian of another frame than the error.
TEST(ArmModel, Defect06JacobianIsInBaseAxesWithTheBaseRotatedAndOffset) {
  const ArmOptions turned{"0.4 -1.2 0.8", "0.5 -0.9 2.2", true};
  ArmModel model(arm_description(turned), frames());
  const Jacobian expected = differentiated(model, ready());
  EXPECT_LT((model.jacobian() - expected).cwiseAbs().maxCoeff(), 1e-7);
}

TEST(ArmModel, MountingDoesNotChangeWhatTheBaseSees) {
  ArmModel upright(arm_description(), frames());
  ArmModel turned(arm_description({"0.4 -1.2 0.8", "0.5 -0.9 2.2", true}), frames());
  upright.update_kinematics(ready());
  turned.update_kinematics(ready());
  EXPECT_LT((upright.pose().position - turned.pose().position).norm(), 1e-9);
  EXPECT_LT((upright.jacobian() - turned.jacobian()).norm(), 1e-9);
}

TEST(ArmModel, GravityIsTheGradientOfPotentialEnergyAndFollowsTheMounting) {
  ArmModel upright(arm_description(), frames());
  ArmModel hanging(arm_description({"0 0 0", "3.14159265358979 0 0", true}), frames());
  const JointVector rest = JointVector::Zero(7);
  upright.update_dynamics(ready(), rest);
  hanging.update_dynamics(ready(), rest);
  EXPECT_GT(upright.gravity().norm(), 5.0);
  EXPECT_LT((upright.gravity() + hanging.gravity()).norm(), 1e-9 * 1e3);
  EXPECT_LT(upright.coriolis().norm(), 1e-12);
}

TEST(ArmModel, MassIsSymmetricPositiveDefiniteAndCoriolisQuadratic) {
  ArmModel model(arm_description(), frames());
  const JointVector dq = (JointVector(7) << 0.3, -0.5, 0.2, 0.7, -0.1, 0.4, 0.9).finished();
  model.update_dynamics(ready(), dq);
  const JointMatrix mass = model.mass();
  const JointVector coriolis = model.coriolis();
  EXPECT_LT((mass - mass.transpose()).norm(), 1e-12);
  EXPECT_GT(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(mass).eigenvalues().minCoeff(), 0.0);
  model.update_dynamics(ready(), 2.0 * dq);
  EXPECT_LT((model.coriolis() - 4.0 * coriolis).norm(), 1e-9);
}

TEST(ArmModel, JointsMayBeGivenInAnyOrder) {
  ArmFrames shuffled = frames();
  std::swap(shuffled.joints[0], shuffled.joints[5]);
  ArmModel model(arm_description(), frames());
  ArmModel other(arm_description(), shuffled);
  JointVector q = ready();
  model.update_kinematics(q);
  std::swap(q[0], q[5]);
  other.update_kinematics(q);
  EXPECT_LT((model.pose().position - other.pose().position).norm(), 1e-12);
  EXPECT_LT((model.jacobian().col(0) - other.jacobian().col(5)).norm(), 1e-12);
  EXPECT_EQ(other.limits().effort[0], 12.0);
}

TEST(ArmModel, LostMeasurementLeavesTheLastAnswer) {
  ArmModel model(arm_description(), frames());
  model.update_kinematics(ready());
  model.update_dynamics(ready(), JointVector::Zero(7));
  const Pose pose = model.pose();
  const JointVector gravity = model.gravity();
  JointVector lost = ready();
  lost[1] = std::nan("");
  model.update_kinematics(lost);
  model.update_dynamics(lost, JointVector::Zero(7));
  EXPECT_EQ(model.pose().position, pose.position);
  EXPECT_EQ(model.gravity(), gravity);
}

TEST(ArmModel, SensorOnTheHandIsFound) {
  ArmModel model(arm_description(), frames());
  const Pose pose = model.fixed_on_end_effector("sensor", "force_torque_sensor.frame");
  EXPECT_NEAR(pose.position[2], -0.1, 1e-9);
  EXPECT_THROW(model.fixed_on_end_effector("link3", "force_torque_sensor.frame"), std::invalid_argument);
}

TEST(ArmModel, WrongDescriptionIsRefusedByName) {
  EXPECT_THAT(reason("", frames()), HasSubstr("robot_description is ''"));
  EXPECT_THAT(reason("<robot", frames()), HasSubstr("robot_description"));
  EXPECT_THAT(reason("not a robot", frames()), HasSubstr("must be a URDF"));
}

// Defect 10 of the references: an unknown end-effector frame gave NaN torques.
TEST(ArmModel, Defect10UnknownFrameIsRefusedByName) {
  ArmFrames given = frames();
  given.end_effector_frame = "hand";
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("end_effector_frame is 'hand'"));
  given = frames();
  given.base_frame = "table";
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("base_frame is 'table'"));
  given = frames();
  given.base_frame = "finger";
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("must lie on the way"));
}

TEST(ArmModel, JointsMustBeTheChain) {
  ArmFrames given = frames();
  given.joints[2] = "elbow";
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("joints is 'elbow'"));
  given = frames();
  given.joints.erase(given.joints.begin() + 3);
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("must contain 'joint4'"));
  given = frames();
  given.joints.push_back("finger_joint");
  EXPECT_THAT(reason(arm_description(), given), HasSubstr("joints is 'finger_joint'"));
}

}  // namespace
}  // namespace hilserl_controllers
