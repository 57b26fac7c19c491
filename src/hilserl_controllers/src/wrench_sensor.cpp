// SPDX-License-Identifier: Apache-2.0
#include "hilserl_controllers/wrench_sensor.hpp"

#include <limits>
#include <sstream>

#include "hilserl_control/rotation.hpp"

namespace hilserl_controllers {

namespace {
constexpr const char* kTareService = "~/tare_force_torque_sensor";
const double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

hilserl_control::Matrix6 wrench_transform(const hilserl_control::Pose& pose) noexcept {
  const Eigen::Matrix3d rotation = pose.orientation.toRotationMatrix();
  const hilserl_control::Vector3& p = pose.position;
  Eigen::Matrix3d cross;
  cross << 0.0, -p[2], p[1], p[2], 0.0, -p[0], -p[1], p[0], 0.0;
  hilserl_control::Matrix6 transform = hilserl_control::Matrix6::Zero();
  transform.topLeftCorner<3, 3>() = rotation;
  transform.bottomRightCorner<3, 3>() = rotation;
  transform.bottomLeftCorner<3, 3>() = cross * rotation;
  return transform;
}

WrenchSensor::WrenchSensor(rclcpp_lifecycle::LifecycleNode& node, const std::string& name,
                           const hilserl_control::Pose& tcp_T_sensor, double filter_time_constant)
    : sensor_(name),
      tcp_from_sensor_(wrench_transform(tcp_T_sensor)),
      time_constant_(filter_time_constant),
      filtered_(hilserl_control::Vector6::Constant(kNan)),
      offset_(hilserl_control::Vector6::Zero()),
      wrench_(filtered_),
      measured_box_(filtered_),
      offset_box_(offset_) {
  service_ = node.create_service<std_srvs::srv::Trigger>(
      kTareService, [this](const std_srvs::srv::Trigger::Request::SharedPtr,
                           std_srvs::srv::Trigger::Response::SharedPtr response) { tare(*response); });
}

bool WrenchSensor::attach(std::vector<hardware_interface::LoanedStateInterface>& states) {
  measured_box_.set(hilserl_control::Vector6::Constant(kNan).eval());
  fresh_ = true;
  attached_ = sensor_.assign_loaned_state_interfaces(states);
  return attached_;
}

void WrenchSensor::detach() {
  attached_ = false;
  sensor_.release_interfaces();
}

const hilserl_control::Vector6& WrenchSensor::update(double dt) noexcept {
  const auto force = sensor_.get_forces();
  const auto torque = sensor_.get_torques();
  hilserl_control::Vector6 raw;
  raw << force[0], force[1], force[2], torque[0], torque[1], torque[2];
  if (!raw.allFinite()) {
    fresh_ = true;
    wrench_.setConstant(kNan);
    return wrench_;
  }
  if (fresh_) filtered_ = raw;
  fresh_ = false;
  filtered_ += hilserl_control::smoothing_factor(dt, time_constant_) * (raw - filtered_);
  static_cast<void>(measured_box_.try_set(filtered_));  // the tare service is reading: next cycle
  if (const auto offset = offset_box_.try_get()) offset_ = *offset;
  wrench_.noalias() = tcp_from_sensor_ * (filtered_ - offset_);
  return wrench_;
}

void WrenchSensor::tare(std_srvs::srv::Trigger::Response& response) {
  const hilserl_control::Vector6 measured = measured_box_.get();
  response.success = attached_ && measured.allFinite();
  if (!response.success) {
    response.message =
        attached_ ? "the sensor has given no valid wrench yet" : "the controller is not active";
    return;
  }
  offset_box_.set(measured);
  std::ostringstream text;
  text << "offset in the sensor's frame (N, Nm): [" << measured.transpose() << "]";
  response.message = text.str();
}

}  // namespace hilserl_controllers
