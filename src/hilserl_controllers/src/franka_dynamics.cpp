// SPDX-License-Identifier: Apache-2.0
// Built where franka_semantic_components (franka_ros2, Jazzy) is installed.
#include <optional>
// libfranka 0.2x uses std::optional without its header.
#include <franka_semantic_components/franka_robot_model.hpp>
#include <limits>
#include <stdexcept>

#include "hilserl_controllers/dynamics_source.hpp"

namespace hilserl_controllers {

namespace {

constexpr Eigen::Index kFrankaJoints = 7;

class FrankaDynamics : public DynamicsSource {
 public:
  explicit FrankaDynamics(const std::string& arm) : model_(arm + "/robot_model", arm + "/robot_state") {}

  std::vector<std::string> state_names() const override { return model_.get_state_interface_names(); }

  bool attach(std::vector<hardware_interface::LoanedStateInterface>& states) override {
    return model_.assign_loaned_state_interfaces(states);
  }

  void detach() override { model_.release_interfaces(); }

  void update(const JointVector& /*q*/, const JointVector& /*dq*/, DynamicsTerms& terms) noexcept override {
    try {
      terms.coriolis = Eigen::Map<const Eigen::Matrix<double, 7, 1>>(model_.getCoriolisForceVector().data());
      terms.gravity = Eigen::Map<const Eigen::Matrix<double, 7, 1>>(model_.getGravityForceVector().data());
      terms.mass = Eigen::Map<const Eigen::Matrix<double, 7, 7>>(model_.getMassMatrix().data());
    } catch (const std::exception&) {  // no state from the robot: the law lets the effort go
      terms.coriolis.setConstant(std::numeric_limits<double>::quiet_NaN());
    }
  }

 private:
  mutable franka_semantic_components::FrankaRobotModel model_;
};

}  // namespace

std::unique_ptr<DynamicsSource> make_franka_dynamics(const std::string& arm, Eigen::Index joints) {
  if (arm.empty()) {
    throw std::invalid_argument(
        "Parameter 'dynamics.franka_arm' is '': must be the prefix of the arm's interfaces, e.g. fr3");
  }
  if (joints != kFrankaJoints) {
    throw std::invalid_argument("Parameter 'dynamics.source' is franka: needs 7 joints, there are " +
                                std::to_string(joints));
  }
  return std::make_unique<FrankaDynamics>(arm);
}

}  // namespace hilserl_controllers
