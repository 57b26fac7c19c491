// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/cartesian_impedance_controller.hpp"

#include <pluginlib/class_list_macros.hpp>

#include "impedance_settings.hpp"
//
#include "cartesian_controller_impl.hpp"

namespace hilserl_controllers {

template class CartesianController<ImpedanceKind>;

void CartesianImpedanceController::build_arm() {
  const Eigen::Index n = model_->joints();
  dynamics_ = params_.dynamics.source == "franka" ? make_franka_dynamics(params_.dynamics.franka_arm, n)
                                                  : make_pinocchio_dynamics(*model_);
  terms_ = {JointVector::Zero(n), JointVector::Zero(n), JointMatrix::Zero(n, n)};
  measurement_.dq = measurement_.bias = terms_.coriolis;
  measurement_.mass = terms_.mass;
}

void CartesianImpedanceController::measure() noexcept {
  measurement_.dq = dq_;
  model_->update_kinematics(measurement_.q);
  measurement_.pose = model_->pose();
  measurement_.jacobian = model_->jacobian();
  measurement_.twist = measurement_.jacobian.lazyProduct(dq_);
  dynamics_->update(measurement_.q, dq_, terms_);
  measurement_.mass = terms_.mass;
  measurement_.bias.setZero();
  if (params_.dynamics.coriolis) measurement_.bias += terms_.coriolis;
  if (params_.dynamics.gravity) measurement_.bias += terms_.gravity;
}

const JointVector& CartesianImpedanceController::command() const noexcept {
  return law_->state().effort;
}

void CartesianImpedanceController::let_go() {
  if (!joints_->write(JointVector::Zero(model_->joints())))
    RCLCPP_ERROR(get_node()->get_logger(), "an effort interface refused zero effort");
}

}  // namespace hilserl_controllers

PLUGINLIB_EXPORT_CLASS(hilserl_controllers::CartesianImpedanceController,
                       controller_interface::ControllerInterface)
