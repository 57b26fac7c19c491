// SPDX-License-Identifier: Apache-2.0
#include "arrays.hpp"

#include <algorithm>
#include <string>

namespace py = pybind11;

namespace hilserl_control::python {

namespace {

[[noreturn]] void wrong_shape(const char* name, const Array& array, const std::string& wanted) {
  std::string shape = "(";
  for (py::ssize_t i = 0; i < array.ndim(); ++i) shape += std::to_string(array.shape(i)) + ",";
  throw py::value_error(std::string(name) + " has shape " + shape + "): must be " + wanted);
}

}  // namespace

const double* numbers(const char* name, const Array& array, Eigen::Index size) {
  if (array.ndim() != 1 || array.shape(0) != size)
    wrong_shape(name, array, "(" + std::to_string(size) + ",) numbers");
  return array.data();
}

Vector3 to_vector3(const char* name, const Array& array) {
  return Eigen::Map<const Vector3>(numbers(name, array, 3));
}

Vector6 to_vector6(const char* name, const Array& array) {
  return Eigen::Map<const Vector6>(numbers(name, array, 6));
}

Eigen::Vector2d to_vector2(const char* name, const Array& array) {
  return Eigen::Map<const Eigen::Vector2d>(numbers(name, array, 2));
}

JointVector to_joint_vector(const char* name, const Array& array) {
  if (array.ndim() != 1 || array.shape(0) < 1 || array.shape(0) > kMaxJoints) {
    wrong_shape(name, array, "one number per joint, at most " + std::to_string(kMaxJoints));
  }
  return Eigen::Map<const JointVector>(array.data(), array.shape(0));
}

Pose to_pose(const Array& position, const Array& quaternion_xyzw) {
  Pose pose;
  pose.position = to_vector3("position", position);
  pose.orientation.coeffs() =
      Eigen::Map<const Eigen::Vector4d>(numbers("quaternion_xyzw", quaternion_xyzw, 4));
  return pose;
}

py::array_t<double> read_only(const double* data, Eigen::Index size) {
  py::array_t<double> result(size);
  std::copy(data, data + size, result.mutable_data());
  result.attr("flags").attr("writeable") = false;
  return result;
}

py::array_t<double> quaternion_array(const Quaternion& quaternion) {
  return read_only(quaternion.coeffs());
}

}  // namespace hilserl_control::python
