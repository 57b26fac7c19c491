// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/cartesian_impedance.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace hilserl_control {

namespace {

const ControllerConfig& validated(const ControllerConfig& config) {
  validate(config);
  return config;
}

}  // namespace

CartesianImpedance::CartesianImpedance(const ControllerConfig& config)
    : joints_(validated(config).joints),
      max_period_(config.max_period),
      wrench_cap_(config.wrench_cap),
      targets_(config.target_timeout),
      reference_(config),
      gains_(config.gains, config.gain_time_constant),
      integral_(config.integral_cap, config.gain_time_constant),
      feedforward_(config.gain_time_constant),
      nullspace_(config),
      limits_(config) {
  state_.effort = JointVector::Zero(joints_);
}

void CartesianImpedance::reset(const JointVector& q, const Pose& measured, double now) {
  if (q.size() != joints_ || !q.allFinite() || !is_valid(measured) || !std::isfinite(now)) {
    throw std::invalid_argument(
        "reset: joint positions, pose and time must be finite, the quaternion of unit length");
  }
  const Pose start{measured.position, measured.orientation.normalized()};
  targets_.reset(now);
  reference_.reset(start);
  gains_.finish();
  integral_.reset();
  feedforward_.reset();
  nullspace_.reset(q);
  state_ = State{};
  state_.reference = start;
  state_.effort = JointVector::Zero(joints_);
  active_ = true;
}

bool CartesianImpedance::set_gains(const Gains& gains) noexcept {
  if (!is_valid(gains)) return false;
  gains_.set(gains);
  return true;
}

bool CartesianImpedance::set_target(const Target& target) noexcept {
  return active_ && targets_.set(target);
}

const JointVector& CartesianImpedance::update(const Measurement& measurement) noexcept {
  const double dt = std::isfinite(measurement.dt) ? std::clamp(measurement.dt, 0.0, max_period_) : 0.0;
  state_.limit_flags.fill(0);
  state_.joint_limit_flags.fill(0);
  state_.invalid_measurement = !is_usable(measurement);
  if (!active_ || state_.invalid_measurement) {
    release(dt);
    return state_.effort;
  }
  follow_target(measurement, dt);
  compute_wrench(measurement, dt);
  command(joint_effort(measurement), dt);
  return state_.effort;
}

bool CartesianImpedance::is_usable(const Measurement& m) const noexcept {
  const bool sized = m.q.size() == joints_ && m.dq.size() == joints_ && m.bias.size() == joints_ &&
                     m.jacobian.cols() == joints_;
  return sized && std::isfinite(m.now) && m.q.allFinite() && m.dq.allFinite() && is_valid(m.pose) &&
         m.twist.allFinite() && m.jacobian.allFinite() && m.bias.allFinite();
}

void CartesianImpedance::release(double dt) noexcept {
  state_.wrench.setZero();
  command(JointVector::Zero(joints_), dt);
}

void CartesianImpedance::follow_target(const Measurement& measurement, double dt) noexcept {
  if (targets_.check_age(measurement.now)) {
    reference_.reset(measurement.pose);
    integral_.reset();
  }
  if (targets_.rejected()) {
    mark_triplet(state_.limit_flags, 0, kInvalidTarget);
    mark_triplet(state_.limit_flags, 3, kInvalidTarget);
  }
  // A held pose stays where it is, even outside the workspace box: holding must not move the arm.
  if (!targets_.holding()) reference_.advance(targets_.target().pose, dt, state_.limit_flags);
  state_.reference = reference_.pose();
  state_.holding = targets_.holding();
  state_.target_age = targets_.age(measurement.now);
}

void CartesianImpedance::compute_wrench(const Measurement& measurement, double dt) noexcept {
  gains_.advance(dt);
  state_.error = pose_error(reference_.pose(), measurement.pose);
  state_.error_clipped =
      clip_error(state_.error, gains_.clip_negative(), gains_.clip_positive(), state_.limit_flags);
  state_.wrench = gains_.stiffness().cwiseProduct(state_.error_clipped);
  state_.wrench -= gains_.damping().cwiseProduct(measurement.twist);
  state_.wrench += integral_.advance(gains_, state_.error_clipped, dt);
  state_.wrench += feedforward_.advance(wanted_feedforward(), dt);
  cap_wrench(state_.wrench, wrench_cap_, state_.limit_flags);
}

Vector6 CartesianImpedance::wanted_feedforward() const noexcept {
  return targets_.holding() ? Vector6(Vector6::Zero()) : targets_.target().feedforward_wrench;
}

JointVector CartesianImpedance::joint_effort(const Measurement& measurement) noexcept {
  JointVector effort = measurement.jacobian.transpose().lazyProduct(state_.wrench);
  effort += nullspace_.effort(measurement.q, measurement.dq, measurement.jacobian);
  effort += limits_.repulsion(measurement.q, state_.joint_limit_flags);
  effort += measurement.bias;
  return effort;
}

void CartesianImpedance::command(JointVector effort, double dt) noexcept {
  // Finite inputs may still overflow (a speed of 1e300): such a measurement is no measurement.
  if (!effort.allFinite()) {
    state_.invalid_measurement = true;
    state_.wrench.setZero();
    effort.setZero();
  }
  limits_.cap(effort, state_.joint_limit_flags);
  limits_.limit_rate(effort, state_.effort, dt, state_.joint_limit_flags);
  state_.effort = effort;
}

}  // namespace hilserl_control
