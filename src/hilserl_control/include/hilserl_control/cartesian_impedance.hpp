// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"
#include "hilserl_control/gain_ramp.hpp"
#include "hilserl_control/joint_limits.hpp"
#include "hilserl_control/mode.hpp"
#include "hilserl_control/nullspace.hpp"
#include "hilserl_control/reference.hpp"
#include "hilserl_control/state.hpp"
#include "hilserl_control/target_buffer.hpp"
#include "hilserl_control/types.hpp"
#include "hilserl_control/walls.hpp"
#include "hilserl_control/wrench.hpp"

namespace hilserl_control {

/// Cartesian impedance and wrench control with a bounded push. One thread calls everything: a host with
/// several puts a real-time box in between. After construction only reset() may throw; nothing allocates,
/// locks or logs.
class CartesianImpedance {
 public:
  /// Throws std::invalid_argument naming field, value and rule.
  explicit CartesianImpedance(const ControllerConfig& config);

  /// Activation: the reference is the measured pose, targets and integral are forgotten, the last profile
  /// set is in use at once and the effort starts at zero. Throws std::invalid_argument on a measurement
  /// that is not valid.
  void reset(const JointVector& q, const Pose& measured, double now);

  /// From now on ramps to `gains`. False when they are not valid: the last ones stay (`validate` says why).
  bool set_gains(const Gains& gains) noexcept;
  /// The same for the profile of the wrench mode.
  bool set_wrench_gains(const Gains& gains) noexcept;

  /// False when the target is not valid or before reset(): the last one stays.
  bool set_target(const Target& target) noexcept;

  /// One cycle. Nm per joint; zero before reset().
  const JointVector& update(const Measurement& measurement) noexcept;

  const State& state() const noexcept { return state_; }
  Eigen::Index joints() const noexcept { return joints_; }
  bool active() const noexcept { return active_; }

 private:
  bool is_usable(const Measurement& measurement) const noexcept;
  void release(double dt) noexcept;
  void select_rule(const Measurement& measurement) noexcept;
  const Rule& next_rule() const noexcept;
  void move_reference(const Measurement& measurement, double dt) noexcept;
  void yield_to(const Pose& measured) noexcept;
  void compute_wrench(const Measurement& measurement, double dt) noexcept;
  const Vector6& commanded_wrench(const Measurement& measurement, double dt) noexcept;
  JointVector joint_effort(const Measurement& measurement) noexcept;
  void command(JointVector effort, double dt) noexcept;

  Eigen::Index joints_;
  double max_period_;
  Eigen::Vector2d wrench_cap_;
  TargetBuffer targets_;
  Reference reference_;
  const Rule* rule_ = &kHold;
  GainRamp gains_;
  Vector6 yielding_ = Vector6::Zero();  ///< 1 on the axes whose reference goes with the arm
  SpringWrench spring_;
  IntegralWrench integral_;
  CommandedWrench commanded_;
  WorkspaceWalls walls_;
  Nullspace nullspace_;
  JointLimits limits_;
  State state_;
  bool active_ = false;
};

}  // namespace hilserl_control
