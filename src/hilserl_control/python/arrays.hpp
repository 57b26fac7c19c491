// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "hilserl_control/types.hpp"

namespace hilserl_control::python {

/// Taken without a copy when float64 and C-contiguous; anything else that numpy can convert is converted.
using Array = pybind11::array_t<double, pybind11::array::c_style | pybind11::array::forcecast>;

/// Pointer to exactly `size` numbers; ValueError naming the argument, what came and what is wanted.
const double* numbers(const char* name, const Array& array, Eigen::Index size);

Vector3 to_vector3(const char* name, const Array& array);
Vector6 to_vector6(const char* name, const Array& array);
Eigen::Vector2d to_vector2(const char* name, const Array& array);
/// One-dimensional, 1 to kMaxJoints numbers.
JointVector to_joint_vector(const char* name, const Array& array);
/// position (3,), quaternion x y z w (4,).
Pose to_pose(const Array& position, const Array& quaternion_xyzw);

/// A copy that cannot be written: writing into a property's copy would silently change nothing.
pybind11::array_t<double> read_only(const double* data, Eigen::Index size);
template <typename Derived>
pybind11::array_t<double> read_only(const Eigen::PlainObjectBase<Derived>& values) {
  return read_only(values.data(), values.size());
}
/// x y z w
pybind11::array_t<double> quaternion_array(const Quaternion& quaternion);

}  // namespace hilserl_control::python
