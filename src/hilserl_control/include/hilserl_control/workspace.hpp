// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hilserl_control/config.hpp"

namespace hilserl_control {

/// The bounds of the workspace: a box of positions and, where configured, of rotation vectors from a
/// reference orientation. Base axes.
class Workspace {
 public:
  explicit Workspace(const ControllerConfig& config) noexcept;

  /// The nearest position in the box.
  Vector3 clip_position(const Vector3& position) const noexcept;
  /// `next`, but never farther outside than `last`.
  Vector3 confine_position(const Vector3& next, const Vector3& last) const noexcept;

  bool bounds_orientation() const noexcept { return orientation_.has_value(); }
  /// Rotation vector from the reference orientation; only with an orientation bound.
  Vector3 rotation_of(const Quaternion& orientation) const noexcept;
  Vector3 clip_rotation(const Vector3& rotation) const noexcept;
  Quaternion orientation_of(const Vector3& rotation) const noexcept;
  /// `next`, but never farther outside than `last`. Without a bound: `next` as it is.
  Quaternion confine_orientation(const Quaternion& next, const Quaternion& last) const noexcept;

 private:
  Vector3 minimum_;
  Vector3 maximum_;
  std::optional<OrientationBound> orientation_;
};

}  // namespace hilserl_control
