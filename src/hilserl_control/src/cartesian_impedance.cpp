// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/cartesian_impedance.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace hilserl_control {

namespace {

// m. No arm reaches this far: such a position is no measurement, though finite, and must not become a
// reference.
constexpr double kFarthest = 100.0;

const ControllerConfig& validated(const ControllerConfig& config) {
  validate(config);
  return config;
}

}  // namespace

CartesianImpedance::CartesianImpedance(const ControllerConfig& config)
    : joints_(validated(config).joints),
      max_period_(config.max_period),
      wrench_cap_(config.wrench_cap),
      targets_(config),
      reference_(config),
      gains_(config),
      spring_(config.gain_time_constant),
      integral_(config.integral_cap, config.gain_time_constant),
      commanded_(config),
      walls_(config),
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
  rule_ = &kHold;
  gains_.use(rule_->profile);
  gains_.finish();
  yielding_.setZero();
  spring_.reset();
  integral_.reset();
  commanded_.reset();
  walls_.reset();
  nullspace_.reset(q);
  state_ = State{};
  state_.reference = start;
  state_.effort = JointVector::Zero(joints_);
  active_ = true;
}

bool CartesianImpedance::set_gains(const Gains& gains) noexcept {
  if (!is_valid(gains)) return false;
  gains_.set(Profile::kImpedance, gains);
  return true;
}

bool CartesianImpedance::set_wrench_gains(const Gains& gains) noexcept {
  if (!is_valid_for_wrench(gains)) return false;
  gains_.set(Profile::kWrench, gains);
  return true;
}

bool CartesianImpedance::set_target(const Target& target) noexcept {
  return active_ && targets_.set(target);
}

const JointVector& CartesianImpedance::update(const Measurement& measurement) noexcept {
  const double dt = std::isfinite(measurement.dt) ? std::clamp(measurement.dt, 0.0, max_period_) : 0.0;
  state_.limit_flags.fill(0);
  state_.joint_limit_flags.fill(0);
  state_.nullspace_fallback = false;
  state_.invalid_measurement = !is_usable(measurement);
  if (!active_ || state_.invalid_measurement) {
    release(dt);
    return state_.effort;
  }
  select_rule(measurement);
  move_reference(measurement, dt);
  compute_wrench(measurement, dt);
  command(joint_effort(measurement), dt);
  return state_.effort;
}

bool CartesianImpedance::is_usable(const Measurement& m) const noexcept {
  const bool sized = m.q.size() == joints_ && m.dq.size() == joints_ && m.bias.size() == joints_ &&
                     m.jacobian.cols() == joints_;
  return sized && std::isfinite(m.now) && m.q.allFinite() && m.dq.allFinite() && is_valid(m.pose) &&
         m.pose.position.cwiseAbs().maxCoeff() <= kFarthest && m.twist.allFinite() &&
         m.jacobian.allFinite() && m.bias.allFinite();
}

void CartesianImpedance::release(double dt) noexcept {
  state_.wrench.setZero();
  command(JointVector::Zero(joints_), dt);
}

void CartesianImpedance::select_rule(const Measurement& measurement) noexcept {
  const bool became_stale = targets_.check_age(measurement.now);
  if (became_stale && rule_->guide != Guide::kYield) {
    // Let go of what the reference asked for and hold where the arm is.
    reference_.reset(measurement.pose);
    integral_.reset();
  }
  rule_ = &next_rule();
  gains_.use(rule_->profile);
  state_.mode = rule_->mode;
  state_.holding = targets_.holding();
  state_.target_age = targets_.age(measurement.now);
  state_.wrench_stale = targets_.wrench_stale(measurement.now);
  if (targets_.rejected()) {
    mark_triplet(state_.limit_flags, 0, kInvalidTarget);
    mark_triplet(state_.limit_flags, 3, kInvalidTarget);
  }
}

const Rule& CartesianImpedance::next_rule() const noexcept {
  if (!targets_.holding()) return kModes[static_cast<std::size_t>(targets_.target().mode)];
  const bool wrench_acts = rule_->guide == Guide::kYield && !commanded_.is_zero();
  return wrench_acts ? kFade : kHold;
}

void CartesianImpedance::move_reference(const Measurement& measurement, double dt) noexcept {
  const Target& target = targets_.target();
  if (rule_->guide != Guide::kYield) yielding_.setZero();
  switch (rule_->guide) {
    case Guide::kStand:  // even outside the workspace: holding must not move the
                         // arm
      break;
    case Guide::kTarget:
      reference_.advance(target.pose, dt, state_.limit_flags);
      break;
    case Guide::kTwist:
      reference_.integrate(target.twist, measurement.pose, gains_, dt, state_.limit_flags);
      break;
    case Guide::kYield:
      yield_to(measurement.pose);
      break;
  }
  state_.reference = reference_.pose();
}

void CartesianImpedance::yield_to(const Pose& measured) noexcept {
  const Vector6 free = gains_.free_axes();
  spring_.let_go((free - yielding_).cwiseMax(0.0));  // of axes that were held until now
  yielding_ = free;
  reference_.yield(measured, free);
}

void CartesianImpedance::compute_wrench(const Measurement& measurement, double dt) noexcept {
  gains_.advance(dt);
  state_.push_negative = gains_.stiffness().cwiseProduct(gains_.clip_negative());
  state_.push_positive = gains_.stiffness().cwiseProduct(gains_.clip_positive());
  state_.error = pose_error(reference_.pose(), measurement.pose);
  state_.error_clipped =
      clip_error(state_.error, gains_.clip_negative(), gains_.clip_positive(), state_.limit_flags);
  state_.wrench =
      spring_.advance(gains_, state_.error_clipped, state_.push_negative, state_.push_positive, dt);
  state_.wrench -= gains_.damping().cwiseProduct(measurement.twist);
  state_.wrench += integral_.advance(gains_, state_.error_clipped, dt, state_.limit_flags);
  state_.commanded_wrench = commanded_wrench(measurement, dt);
  state_.wrench += state_.commanded_wrench;
  state_.wall_wrench =
      walls_.advance(rule_->walls, measurement.pose, measurement.twist, dt, state_.limit_flags);
  state_.wrench += state_.wall_wrench;
  cap_wrench(state_.wrench, wrench_cap_, state_.limit_flags);
}

const Vector6& CartesianImpedance::commanded_wrench(const Measurement& m, double dt) noexcept {
  const Target& target = targets_.target();
  const bool wanted = rule_->commands_wrench && !targets_.wrench_stale(m.now);
  return commanded_.advance(wanted ? target.wrench : Vector6(Vector6::Zero()), target.wrench_frame,
                            m.pose.orientation, dt, state_.limit_flags);
}

JointVector CartesianImpedance::joint_effort(const Measurement& measurement) noexcept {
  JointVector effort = measurement.jacobian.transpose().lazyProduct(state_.wrench);
  effort += nullspace_.effort(measurement, state_.nullspace_fallback);
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
