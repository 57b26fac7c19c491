// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/admittance.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

namespace {

template <typename Value>
void require(bool good, const char* field, const Value& value, const char* rule) {
  if (good) return;
  std::ostringstream text;
  text << field << " is " << value << ": " << rule;
  throw std::invalid_argument(text.str());
}

const AdmittanceConfig& validated(const AdmittanceConfig& config) {
  validate(config);
  return config;
}

/// The virtual mass is damped as a mass of its own, not as the unit mass of the impedance's default.
Gains damped_for(const Gains& gains, const Vector6& mass) noexcept {
  Gains damped = gains;
  if (!gains.damping)
    damped.damping = 2.0 * gains.damping_ratio.cwiseProduct(gains.stiffness.cwiseProduct(mass).cwiseSqrt());
  return damped;
}

/// Below its bound a norm counts as zero; above, only what is beyond the bound counts: no step.
Vector3 beyond(const Vector3& vector, double bound) noexcept {
  const double norm = vector.norm();
  if (norm <= bound) return Vector3::Zero();
  return vector * ((norm - bound) / norm);
}

}  // namespace

AdmittanceConfig::AdmittanceConfig() : max_joint_velocity(JointVector::Constant(7, 2.0)) {
  law.reference_time_constant = 0.05;
}

void validate(const AdmittanceConfig& config) {
  validate(config.law);
  require(config.mass.allFinite() && config.mass.minCoeff() > 0.0, "mass", config.mass.transpose(),
          "must be above 0, e.g. 8 kg and 0.4 kg m^2");
  require(config.wrench_deadband.allFinite() && config.wrench_deadband.minCoeff() >= 0.0, "wrench_deadband",
          config.wrench_deadband.transpose(), "must be 0 or more, e.g. 1 N and 0.05 Nm");
  require(config.max_joint_velocity.size() == config.law.joints && config.max_joint_velocity.allFinite() &&
              config.max_joint_velocity.minCoeff() > 0.0,
          "max_joint_velocity", config.max_joint_velocity.transpose(),
          "must be above 0 rad/s, one per joint");
  require(config.inverse_kinematics_damping > 0.0 && std::isfinite(config.inverse_kinematics_damping),
          "inverse_kinematics_damping", config.inverse_kinematics_damping, "must be above 0, e.g. 0.05");
  require(config.posture_rate >= 0.0 && std::isfinite(config.posture_rate), "posture_rate",
          config.posture_rate, "must be 0 1/s or more, e.g. 1");
  require(config.max_following_error > 0.0 && std::isfinite(config.max_following_error),
          "max_following_error", config.max_following_error, "must be above 0 rad, e.g. 0.1");
  // One step of explicit integration must not overshoot: damping * dt / mass < 1.
  for (const Gains* gains : {&config.law.gains, &config.law.wrench_gains}) {
    const Vector6 rate = resolved_damping(damped_for(*gains, config.mass)).cwiseQuotient(config.mass);
    require(rate.maxCoeff() * config.law.max_period < 1.0, "mass", config.mass.transpose(),
            "must be above damping times max_period on every axis, or the motion oscillates");
  }
}

CartesianAdmittance::CartesianAdmittance(const AdmittanceConfig& config)
    : config_([&config] {
        AdmittanceConfig damped = validated(config);
        damped.law.gains = damped_for(config.law.gains, config.mass);
        damped.law.wrench_gains = damped_for(config.law.wrench_gains, config.mass);
        damped.law.nullspace_mode = NullspaceMode::kNone;  // the elbow moves in move_joints()
        return damped;
      }()),
      law_(config_.law) {
  const Eigen::Index n = config_.law.joints;
  virtual_arm_.q = virtual_arm_.dq = virtual_arm_.bias = JointVector::Zero(n);
  virtual_arm_.jacobian = Jacobian::Zero(6, n);
  posture_ = command_ = velocity_ = JointVector::Zero(n);
  state_.effort = JointVector::Zero(n);
}

void CartesianAdmittance::reset(const JointVector& q, const Pose& pose, double now) {
  law_.reset(q, pose, now);
  command_ = q;
  posture_ = config_.law.nullspace_posture.value_or(q);
  stop();
  state_ = law_.state();
}

bool CartesianAdmittance::set_gains(const Gains& gains) noexcept {
  const Gains damped = damped_for(gains, config_.mass);
  const Vector6 rate = resolved_damping(damped).cwiseQuotient(config_.mass);
  if (!(rate.maxCoeff() * config_.law.max_period < 1.0)) return false;
  return law_.set_gains(damped);
}

const JointVector& CartesianAdmittance::update(const AdmittanceMeasurement& measurement) noexcept {
  const double dt =
      std::isfinite(measurement.dt) ? std::clamp(measurement.dt, 0.0, config_.law.max_period) : 0.0;
  if (!law_.active() || !is_usable(measurement)) {
    stop();
    state_.invalid_measurement = law_.active();
    return command_;
  }
  accelerate(measurement, dt);
  move_joints(measurement, dt);
  return command_;
}

bool CartesianAdmittance::is_usable(const AdmittanceMeasurement& m) const noexcept {
  return m.q.size() == command_.size() && m.jacobian.cols() == command_.size() && std::isfinite(m.now) &&
         m.q.allFinite() && is_valid(m.pose) && m.jacobian.allFinite() && m.wrench.allFinite();
}

void CartesianAdmittance::stop() noexcept {
  twist_.setZero();
  velocity_.setZero();
}

void CartesianAdmittance::accelerate(const AdmittanceMeasurement& m, double dt) noexcept {
  virtual_arm_.now = m.now;
  virtual_arm_.dt = dt;
  virtual_arm_.q = command_;
  virtual_arm_.dq = velocity_;
  virtual_arm_.pose = m.pose;
  virtual_arm_.twist = twist_;
  virtual_arm_.jacobian = m.jacobian;
  law_.update(virtual_arm_);
  state_ = law_.state();
  state_.effort.setZero();
  state_.joint_limit_flags.fill(0);  // of efforts that nobody commands
  Vector6 push = state_.wrench;
  push.head<3>() += beyond(m.wrench.head<3>(), config_.wrench_deadband[0]);
  push.tail<3>() += beyond(m.wrench.tail<3>(), config_.wrench_deadband[1]);
  twist_ += dt * push.cwiseQuotient(config_.mass);
  if (limit_norm(twist_.head<3>(), config_.law.max_linear_speed)) mark_triplet(state_.limit_flags, 0, kSpeed);
  if (limit_norm(twist_.tail<3>(), config_.law.max_angular_speed))
    mark_triplet(state_.limit_flags, 3, kSpeed);
}

JointVector CartesianAdmittance::wanted_velocity(const Jacobian& jacobian) const noexcept {
  const double lambda = config_.inverse_kinematics_damping;
  Matrix6 square = jacobian.lazyProduct(jacobian.transpose());
  square.diagonal().array() += lambda * lambda;
  const Eigen::LDLT<Matrix6> solver(square);
  const JointVector back = config_.posture_rate * (posture_ - command_);
  const Vector6 moved = jacobian.lazyProduct(back);
  const Vector6 solved = solver.solve(twist_ - moved);
  return jacobian.transpose().lazyProduct(solved) + back;
}

void CartesianAdmittance::move_joints(const AdmittanceMeasurement& m, double dt) noexcept {
  if (dt <= 0.0) return;
  const JointVector unlimited = wanted_velocity(m.jacobian);
  JointVector wanted = unlimited;
  if (!wanted.allFinite()) {
    stop();
    state_.invalid_measurement = true;
    return;
  }
  // All joints slow down together, so that the tcp keeps its direction.
  const double excess = wanted.cwiseAbs().cwiseQuotient(config_.max_joint_velocity).maxCoeff();
  if (excess > 1.0) wanted /= excess;
  JointVector next = command_ + dt * wanted;
  for (Eigen::Index i = 0; i < next.size(); ++i) {
    auto& flags = state_.joint_limit_flags[static_cast<std::size_t>(i)];
    const double low = std::max(config_.law.joint_lower[i], m.q[i] - config_.max_following_error);
    const double high = std::min(config_.law.joint_upper[i], m.q[i] + config_.max_following_error);
    // A command that starts outside may come back, at its own pace, but not go farther out.
    const double bounded = std::clamp(next[i], std::min(low, command_[i]), std::max(high, command_[i]));
    if (bounded != next[i]) flags = static_cast<std::uint8_t>(flags | kJointLimit);
    if (excess > 1.0) flags = static_cast<std::uint8_t>(flags | kRate);
    next[i] = bounded;
  }
  velocity_ = (next - command_) / dt;
  command_ = next;
  // What a limit kept the joints from following, the virtual mass loses: it does not wind up.
  const JointVector lost = velocity_ - unlimited;
  twist_ += m.jacobian.lazyProduct(lost);
}

}  // namespace hilserl_control
