// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/arm_model.hpp"

#include <pinocchio/fwd.hpp>
// Pinocchio asks for its fwd.hpp before anything of Boost.
#include <algorithm>
#include <cmath>
#include <limits>
#include <pinocchio/algorithm/crba.hpp>
#include <pinocchio/algorithm/frames.hpp>
#include <pinocchio/algorithm/jacobian.hpp>
#include <pinocchio/algorithm/joint-configuration.hpp>
#include <pinocchio/algorithm/model.hpp>
#include <pinocchio/algorithm/rnea.hpp>
#include <pinocchio/multibody/data.hpp>
#include <pinocchio/multibody/model.hpp>
#include <pinocchio/parsers/urdf.hpp>
#include <sstream>
#include <stdexcept>

namespace hilserl_controllers {

namespace {

[[noreturn]] void fail(const std::string& name, const std::string& value, const std::string& rule) {
  throw std::invalid_argument(name + " is '" + value + "': " + rule);
}

/// "a, b, c, ..." so that a typing error is seen at once; long lists are cut.
template <typename Names>
std::string listed(const Names& names) {
  std::ostringstream text;
  std::size_t shown = 0;
  for (const std::string& name : names) {
    if (name == "universe" || name == "root_joint") continue;
    if (shown == 30) return text.str() + ", ...";
    text << (shown++ == 0 ? "" : ", ") << name;
  }
  return text.str();
}

pinocchio::Model read_description(const std::string& robot_description) {
  if (robot_description.empty()) {
    fail("robot_description", "", "must be the robot's URDF; is robot_state_publisher running?");
  }
  pinocchio::Model model;
  try {
    pinocchio::urdf::buildModelFromXML(robot_description, model);
  } catch (const std::exception& error) {
    fail("robot_description", robot_description.substr(0, 60) + "...",
         std::string("must be a URDF that Pinocchio can read (") + error.what() + ")");
  }
  return model;
}

pinocchio::FrameIndex find_link(const pinocchio::Model& model, const std::string& parameter,
                                const std::string& name) {
  if (!model.existFrame(name, pinocchio::BODY)) {
    std::vector<std::string> links;
    for (const auto& frame : model.frames) {
      if (frame.type == pinocchio::BODY) links.push_back(frame.name);
    }
    fail(parameter, name, "must be a link of the robot description, one of: " + listed(links));
  }
  return model.getFrameId(name, pinocchio::BODY);
}

/// Movable joints from the root to `frame`, by index.
std::vector<pinocchio::JointIndex> chain_to(const pinocchio::Model& model, pinocchio::FrameIndex frame) {
  auto chain = model.supports[model.frames[frame].parentJoint];
  chain.erase(std::remove(chain.begin(), chain.end(), pinocchio::JointIndex{0}), chain.end());
  return chain;
}

void check_joint_names(const pinocchio::Model& model, const std::vector<std::string>& joints) {
  const auto count = static_cast<Eigen::Index>(joints.size());
  if (count < 1 || count > hilserl_control::kMaxJoints) {
    fail("joints", listed(joints), "must be 1 to 8 joints, e.g. [fr3_joint1, ..., fr3_joint7]");
  }
  for (const std::string& joint : joints) {
    if (!model.existJointName(joint)) {
      fail("joints", joint,
           "must be a movable joint of the robot description, one of: " + listed(model.names));
    }
    if (model.joints[model.getJointId(joint)].nv() != 1) {
      fail("joints", joint, "must be a revolute, continuous or prismatic joint");
    }
  }
}

/// The arm's joints must be exactly those between base and end effector, or the Jacobian would lie.
void check_chain(const pinocchio::Model& model, const ArmFrames& frames) {
  const auto base = chain_to(model, find_link(model, "base_frame", frames.base_frame));
  const auto tip = chain_to(model, find_link(model, "end_effector_frame", frames.end_effector_frame));
  if (base.size() > tip.size() || !std::equal(base.begin(), base.end(), tip.begin())) {
    fail("base_frame", frames.base_frame,
         "must lie on the way from the root to end_effector_frame '" + frames.end_effector_frame + "'");
  }
  std::vector<std::string> between;
  for (std::size_t i = base.size(); i < tip.size(); ++i) between.push_back(model.names[tip[i]]);
  const auto contains = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& joint : between) {
    if (!contains(frames.joints, joint)) {
      fail("joints", listed(frames.joints),
           "must contain '" + joint + "', which moves '" + frames.end_effector_frame + "'");
    }
  }
  for (const std::string& joint : frames.joints) {
    if (!contains(between, joint)) {
      fail("joints", joint,
           "must move '" + frames.end_effector_frame + "' relative to '" + frames.base_frame +
               "'; the joints that do: " + listed(between));
    }
  }
}

pinocchio::Model keep_arm(const pinocchio::Model& full, const std::vector<std::string>& joints) {
  std::vector<pinocchio::JointIndex> locked;
  for (pinocchio::JointIndex id = 1; id < static_cast<pinocchio::JointIndex>(full.njoints); ++id) {
    if (std::find(joints.begin(), joints.end(), full.names[id]) == joints.end()) locked.push_back(id);
  }
  return pinocchio::buildReducedModel(full, locked, pinocchio::neutral(full));
}

Pose to_pose(const pinocchio::SE3& placement) noexcept {
  Pose pose;
  pose.position = placement.translation();
  pose.orientation = hilserl_control::Quaternion(placement.rotation()).normalized();
  return pose;
}

}  // namespace

struct ArmModel::Impl {
  Impl(const std::string& robot_description, const ArmFrames& frames);

  void set_configuration(const JointVector& q) noexcept;
  DescribedLimits read_limits() const;

  Eigen::Index count;
  pinocchio::Model model;
  pinocchio::Data data;
  pinocchio::FrameIndex tip;
  pinocchio::SE3 base_T_root;
  std::vector<Eigen::Index> q_index;  ///< place of each joint in Pinocchio's configuration
  std::vector<Eigen::Index> v_index;  ///< and in its velocity
  std::vector<bool> on_circle;        ///< configuration is (cos, sin)
  Eigen::VectorXd configuration;
  Eigen::VectorXd velocity;
  pinocchio::Data::Matrix6x root_jacobian;
  DescribedLimits limits;
  Pose pose;
  Jacobian jacobian;
  JointVector coriolis;
  JointVector gravity;
  JointMatrix mass;
};

ArmModel::Impl::Impl(const std::string& robot_description, const ArmFrames& frames) {
  const pinocchio::Model full = read_description(robot_description);
  check_joint_names(full, frames.joints);
  check_chain(full, frames);
  count = static_cast<Eigen::Index>(frames.joints.size());
  model = keep_arm(full, frames.joints);
  model.gravity.linear(frames.gravity);
  data = pinocchio::Data(model);
  tip = model.getFrameId(frames.end_effector_frame, pinocchio::BODY);
  base_T_root = model.frames[model.getFrameId(frames.base_frame, pinocchio::BODY)].placement.inverse();
  for (const std::string& name : frames.joints) {
    const auto& joint = model.joints[model.getJointId(name)];
    q_index.push_back(joint.idx_q());
    v_index.push_back(joint.idx_v());
    on_circle.push_back(joint.nq() == 2);
  }
  configuration = pinocchio::neutral(model);
  velocity = Eigen::VectorXd::Zero(model.nv);
  root_jacobian = pinocchio::Data::Matrix6x::Zero(6, model.nv);
  limits = read_limits();
  jacobian = Jacobian::Zero(6, count);
  coriolis = JointVector::Zero(count);
  gravity = JointVector::Zero(count);
  mass = JointMatrix::Zero(count, count);
}

DescribedLimits ArmModel::Impl::read_limits() const {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const auto given = [](double value) { return std::isfinite(value) && value > 0.0 ? value : kNone; };
  DescribedLimits read{JointVector(count), JointVector(count), JointVector(count), JointVector(count)};
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto joint = static_cast<std::size_t>(i);
    read.lower[i] = on_circle[joint] ? -kNone : model.lowerPositionLimit[q_index[joint]];
    read.upper[i] = on_circle[joint] ? kNone : model.upperPositionLimit[q_index[joint]];
    read.effort[i] = given(model.effortLimit[v_index[joint]]);
    read.velocity[i] = given(model.velocityLimit[v_index[joint]]);
  }
  return read;
}

void ArmModel::Impl::set_configuration(const JointVector& q) noexcept {
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto joint = static_cast<std::size_t>(i);
    if (on_circle[joint]) {
      configuration[q_index[joint]] = std::cos(q[i]);
      configuration[q_index[joint] + 1] = std::sin(q[i]);
    } else {
      configuration[q_index[joint]] = q[i];
    }
  }
}

ArmModel::ArmModel(const std::string& robot_description, const ArmFrames& frames)
    : impl_(std::make_unique<Impl>(robot_description, frames)) {}
ArmModel::~ArmModel() = default;
ArmModel::ArmModel(ArmModel&&) noexcept = default;
ArmModel& ArmModel::operator=(ArmModel&&) noexcept = default;

Eigen::Index ArmModel::joints() const noexcept {
  return impl_->count;
}
const DescribedLimits& ArmModel::limits() const noexcept {
  return impl_->limits;
}
const Pose& ArmModel::pose() const noexcept {
  return impl_->pose;
}
const Jacobian& ArmModel::jacobian() const noexcept {
  return impl_->jacobian;
}
const JointVector& ArmModel::coriolis() const noexcept {
  return impl_->coriolis;
}
const JointVector& ArmModel::gravity() const noexcept {
  return impl_->gravity;
}
const JointMatrix& ArmModel::mass() const noexcept {
  return impl_->mass;
}

Pose ArmModel::fixed_on_end_effector(const std::string& frame, const std::string& parameter) const {
  const auto& tip = impl_->model.frames[impl_->tip];
  const auto& other = impl_->model.frames[find_link(impl_->model, parameter, frame)];
  if (other.parentJoint != tip.parentJoint) {
    fail(parameter, frame, "must be rigidly connected to end_effector_frame '" + tip.name + "'");
  }
  return to_pose(tip.placement.actInv(other.placement));
}

void ArmModel::update_kinematics(const JointVector& q) noexcept {
  if (!q.allFinite()) return;  // Pinocchio asserts that rotations are rotations
  Impl& m = *impl_;
  m.set_configuration(q);
  pinocchio::computeJointJacobians(m.model, m.data, m.configuration);
  pinocchio::updateFramePlacement(m.model, m.data, m.tip);
  pinocchio::getFrameJacobian(m.model, m.data, m.tip, pinocchio::LOCAL_WORLD_ALIGNED, m.root_jacobian);
  m.pose = to_pose(m.base_T_root * m.data.oMf[m.tip]);
  const Eigen::Matrix3d& turn = m.base_T_root.rotation();
  for (Eigen::Index i = 0; i < m.count; ++i) {
    const auto column = m.root_jacobian.col(m.v_index[static_cast<std::size_t>(i)]);
    m.jacobian.col(i).head<3>() = turn * column.head<3>();
    m.jacobian.col(i).tail<3>() = turn * column.tail<3>();
  }
}

void ArmModel::update_dynamics(const JointVector& q, const JointVector& dq) noexcept {
  if (!q.allFinite() || !dq.allFinite()) return;
  Impl& m = *impl_;
  m.set_configuration(q);
  for (Eigen::Index i = 0; i < m.count; ++i) m.velocity[m.v_index[static_cast<std::size_t>(i)]] = dq[i];
  pinocchio::nonLinearEffects(m.model, m.data, m.configuration, m.velocity);
  pinocchio::computeGeneralizedGravity(m.model, m.data, m.configuration);
  pinocchio::crba(m.model, m.data, m.configuration);
  for (Eigen::Index i = 0; i < m.count; ++i) {
    const Eigen::Index row = m.v_index[static_cast<std::size_t>(i)];
    m.gravity[i] = m.data.g[row];
    m.coriolis[i] = m.data.nle[row] - m.data.g[row];
    for (Eigen::Index k = 0; k < m.count; ++k) {
      const Eigen::Index column = m.v_index[static_cast<std::size_t>(k)];
      // crba fills the upper triangle only.
      m.mass(i, k) = m.data.M(std::min(row, column), std::max(row, column));
    }
  }
}

}  // namespace hilserl_controllers
