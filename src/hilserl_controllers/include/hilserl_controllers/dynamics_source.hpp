// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hardware_interface/loaned_state_interface.hpp>
#include <memory>
#include <string>
#include <vector>

#include "hilserl_controllers/arm_model.hpp"

namespace hilserl_controllers {

/// What the law feeds forward and weights with.
struct DynamicsTerms {
  JointVector coriolis;  ///< Nm
  JointVector gravity;   ///< Nm
  JointMatrix mass;      ///< kg m^2
};

/// Where the dynamics come from: the robot description, or the robot's maker.
class DynamicsSource {
 public:
  virtual ~DynamicsSource() = default;
  /// State interfaces it needs on top of the joints'.
  virtual std::vector<std::string> state_names() const { return {}; }
  /// False when an interface is not there.
  virtual bool attach(std::vector<hardware_interface::LoanedStateInterface>& /*states*/) { return true; }
  virtual void detach() {}
  /// One cycle; sizes are those of q. Does not allocate, lock or log. NaN where there is no answer.
  virtual void update(const JointVector& q, const JointVector& dq, DynamicsTerms& terms) noexcept = 0;
};

/// From the robot description. `model` must outlive it.
std::unique_ptr<DynamicsSource> make_pinocchio_dynamics(ArmModel& model);

/// From the robot itself, by franka_semantic_components. `arm`: prefix of its interfaces, e.g. "fr3". Throws
/// std::invalid_argument when this build has no Franka support.
std::unique_ptr<DynamicsSource> make_franka_dynamics(const std::string& arm, Eigen::Index joints);

}  // namespace hilserl_controllers
