// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/state.hpp"
#include "hilserl_control/workspace.hpp"

namespace hilserl_control {

/// Soft walls at the workspace bounds: a spring and a damper per axis that push an arm outside back in,
/// bounded and without a step: the damper grows over a margin, and the walls fade in and out when a mode
/// begins and ends. They never pull outwards.
class WorkspaceWalls {
 public:
  explicit WorkspaceWalls(const ControllerConfig& config) noexcept;

  void reset() noexcept { engagement_ = 0.0; }
  /// Base axes, N and Nm; zero inside. Marks WALL.
  Vector6 advance(bool engaged, const Pose& measured, const Vector6& twist, double dt,
                  AxisFlags& flags) noexcept;

 private:
  Vector6 push(const Pose& measured, const Vector6& twist) const noexcept;

  Workspace workspace_;
  Vector6 stiffness_;
  Vector6 damping_;
  Vector6 margin_;
  Vector6 cap_;
  double time_constant_;
  double engagement_ = 0.0;  ///< 0: no walls, 1: in full
};

}  // namespace hilserl_control
