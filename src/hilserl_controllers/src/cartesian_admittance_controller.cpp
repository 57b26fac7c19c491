// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/cartesian_admittance_controller.hpp"

#include <pluginlib/class_list_macros.hpp>

#include "admittance_settings.hpp"
//
#include "cartesian_controller_impl.hpp"

namespace hilserl_controllers {

template class CartesianController<AdmittanceKind>;

void CartesianAdmittanceController::build_arm() {
  shown_ = hilserl_control::Measurement{};
  shown_.q = shown_.dq = JointVector::Zero(model_->joints());
}

void CartesianAdmittanceController::measure() noexcept {
  model_->update_kinematics(law_->command());
  measurement_.pose = model_->pose();
  measurement_.jacobian = model_->jacobian();
  const Eigen::Matrix3d turn = measurement_.pose.orientation.toRotationMatrix();
  measurement_.wrench.head<3>() = turn * external_wrench_.head<3>();
  measurement_.wrench.tail<3>() = turn * external_wrench_.tail<3>();
}

const hilserl_control::Measurement& CartesianAdmittanceController::measured_arm() noexcept {
  shown_.q = measurement_.q;
  shown_.dq = dq_;
  model_->update_kinematics(measurement_.q);
  shown_.pose = model_->pose();
  shown_.twist = model_->jacobian().lazyProduct(dq_);
  return shown_;
}

}  // namespace hilserl_controllers

PLUGINLIB_EXPORT_CLASS(hilserl_controllers::CartesianAdmittanceController,
                       controller_interface::ControllerInterface)
