// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hilserl_controllers/cartesian_impedance_controller_parameters.hpp>

#include "hilserl_control/cartesian_impedance.hpp"
#include "hilserl_controllers/cartesian_controller.hpp"

namespace hilserl_controllers {

struct ImpedanceKind {
  using Params = cartesian_impedance_controller::Params;
  using ParamListener = cartesian_impedance_controller::ParamListener;
  using Law = hilserl_control::CartesianImpedance;
  using Measurement = hilserl_control::Measurement;
  static constexpr const char* kCommand = "effort";
};

extern template class CartesianController<ImpedanceKind>;

/// Cartesian impedance and wrench control of a torque-controlled arm as a ros2_control plugin. It only joins
/// the interfaces and topics to hilserl_control, which is the law.
class CartesianImpedanceController : public CartesianController<ImpedanceKind> {
 protected:
  void build_arm() override;
  void measure() noexcept override;
  const JointVector& command() const noexcept override;
  const hilserl_control::Measurement& measured_arm() noexcept override { return measurement_; }
  void let_go() override;

 private:
  DynamicsTerms terms_;
};

}  // namespace hilserl_controllers
