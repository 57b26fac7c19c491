// SPDX-License-Identifier: Apache-2.0
#include "hilserl_control/wrench.hpp"

#include "hilserl_control/rotation.hpp"

namespace hilserl_control {

namespace {

// N, Nm: less than this is nothing, and decays no further into denormal numbers.
constexpr double kNegligible = 1e-12;

void mark_difference(AxisFlags& flags, const Vector6& wanted, const Vector6& granted,
                     LimitFlag flag) noexcept {
  for (Eigen::Index i = 0; i < 6; ++i) {
    if (wanted[i] != granted[i]) mark(flags, i, flag);
  }
}

}  // namespace

Vector6 pose_error(const Pose& reference, const Pose& measured) noexcept {
  Vector6 error;
  error.head<3>() = reference.position - measured.position;
  error.tail<3>() = log3(reference.orientation * measured.orientation.conjugate());
  return error;
}

Vector6 clip_error(const Vector6& error, const Vector6& negative, const Vector6& positive,
                   AxisFlags& flags) noexcept {
  const Vector6 clipped = error.cwiseMax(-negative).cwiseMin(positive);
  mark_difference(flags, error, clipped, kClip);
  return clipped;
}

void cap_wrench(Vector6& wrench, const Eigen::Vector2d& cap, AxisFlags& flags) noexcept {
  if (limit_norm(wrench.head<3>(), cap[0])) mark_triplet(flags, 0, kWrenchCap);
  if (limit_norm(wrench.tail<3>(), cap[1])) mark_triplet(flags, 3, kWrenchCap);
}

void SpringWrench::reset() noexcept {
  wrench_.setZero();
  fading_.setZero();
}

const Vector6& SpringWrench::advance(const GainRamp& gains, const Vector6& error_clipped,
                                     const Vector6& push_negative, const Vector6& push_positive,
                                     double dt) noexcept {
  fading_ *= 1.0 - smoothing_factor(dt, time_constant_);
  if (fading_.cwiseAbs().maxCoeff() < kNegligible) fading_.setZero();
  const Vector6 push = gains.stiffness().cwiseProduct(error_clipped) + fading_;
  wrench_ = push.cwiseMax(-push_negative).cwiseMin(push_positive);
  return wrench_;
}

IntegralWrench::IntegralWrench(const Eigen::Vector2d& cap, double time_constant) noexcept
    : time_constant_(time_constant) {
  cap_ << Vector3::Constant(cap[0]), Vector3::Constant(cap[1]);
}

const Vector6& IntegralWrench::advance(const GainRamp& gains, const Vector6& error, double dt,
                                       AxisFlags& flags) noexcept {
  const double fade = 1.0 - smoothing_factor(dt, time_constant_);
  for (Eigen::Index axis = 0; axis < wrench_.size(); ++axis) {
    if (gains.integrates(axis)) {
      wrench_[axis] += gains.integral()[axis] * error[axis] * dt;
    } else {
      wrench_[axis] *= fade;
    }
  }
  const Vector6 capped = wrench_.cwiseMax(-cap_).cwiseMin(cap_);
  mark_difference(flags, wrench_, capped, kWrenchLimit);
  wrench_ = capped;
  return wrench_;
}

CommandedWrench::CommandedWrench(const ControllerConfig& config) noexcept
    : limit_negative_(config.wrench_limit_negative),
      limit_positive_(config.wrench_limit_positive),
      max_rate_(config.max_wrench_rate) {}

const Vector6& CommandedWrench::advance(const Vector6& wanted, WrenchFrame frame,
                                        const Quaternion& base_R_tcp, double dt, AxisFlags& flags) noexcept {
  Vector6 goal = wanted.cwiseMax(-limit_negative_).cwiseMin(limit_positive_);
  mark_difference(flags, wanted, goal, kWrenchLimit);
  if (frame == WrenchFrame::kTcp) {
    const Eigen::Matrix3d turn = base_R_tcp.normalized().toRotationMatrix();
    goal.head<3>() = turn * goal.head<3>().eval();
    goal.tail<3>() = turn * goal.tail<3>().eval();
  }
  for (Eigen::Index first = 0; first < 6; first += 3) {
    Vector3 step = goal.segment<3>(first) - wrench_.segment<3>(first);
    if (limit_norm(step, max_rate_[first / 3] * dt)) {
      wrench_.segment<3>(first) += step;
      mark_triplet(flags, static_cast<std::size_t>(first), kWrenchRate);
    } else {
      wrench_.segment<3>(first) = goal.segment<3>(first);  // exactly: a faded wrench is zero
    }
  }
  return wrench_;
}

}  // namespace hilserl_control
