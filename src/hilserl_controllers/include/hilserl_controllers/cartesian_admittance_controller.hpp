// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hilserl_controllers/cartesian_admittance_controller_parameters.hpp>

#include "hilserl_control/admittance.hpp"
#include "hilserl_controllers/cartesian_controller.hpp"

namespace hilserl_controllers {

struct AdmittanceKind {
  using Params = cartesian_admittance_controller::Params;
  using ParamListener = cartesian_admittance_controller::ParamListener;
  using Law = hilserl_control::CartesianAdmittance;
  using Measurement = hilserl_control::AdmittanceMeasurement;
  static constexpr const char* kCommand = "position";
};

extern template class CartesianController<AdmittanceKind>;

/// Cartesian admittance of a position-controlled arm with a force-torque sensor as a ros2_control plugin: the
/// same topics, modes and limits as CartesianImpedanceController, for arms that take joint positions.
class CartesianAdmittanceController : public CartesianController<AdmittanceKind> {
 protected:
  void build_arm() override;
  /// The law runs on the commanded arm.
  void measure() noexcept override;
  const JointVector& command() const noexcept override { return law_->command(); }
  const hilserl_control::Measurement& measured_arm() noexcept override;
  /// The arm stays at the last positions commanded; the law stops at once.
  void let_go() override {}

 private:
  hilserl_control::Measurement shown_;
};

}  // namespace hilserl_controllers
