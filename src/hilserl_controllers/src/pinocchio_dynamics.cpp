// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/dynamics_source.hpp"

namespace hilserl_controllers {

namespace {

class PinocchioDynamics : public DynamicsSource {
 public:
  explicit PinocchioDynamics(ArmModel& model) : model_(model) {}

  void update(const JointVector& q, const JointVector& dq, DynamicsTerms& terms) noexcept override {
    model_.update_dynamics(q, dq);
    terms.coriolis = model_.coriolis();
    terms.gravity = model_.gravity();
    terms.mass = model_.mass();
  }

 private:
  ArmModel& model_;
};

}  // namespace

std::unique_ptr<DynamicsSource> make_pinocchio_dynamics(ArmModel& model) {
  return std::make_unique<PinocchioDynamics>(model);
}

}  // namespace hilserl_controllers
