// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "arrays.hpp"
#include "bind.hpp"
#include "hilserl_control/cartesian_impedance.hpp"

namespace py = pybind11;

namespace hilserl_control::python {

namespace {

/// The law with a measurement that keeps its storage from cycle to cycle.
struct Law {
  explicit Law(const ControllerConfig& config) : law(config) {}
  CartesianImpedance law;
  Measurement measurement;
};

using RowMajorJacobian = Eigen::Matrix<double, 6, Eigen::Dynamic, Eigen::RowMajor, 6, kMaxJoints>;

const char* const kUpdateDoc =
    "One cycle: (joints,) Nm.\n\n"
    "now, dt: s. q, dq, bias: (joints,) rad, rad/s, Nm. position: (3,) m and quaternion_xyzw: (4,), "
    "base_T_tcp.\n"
    "twist: (6,) of the tcp, base axes. jacobian: (6, joints) of the tcp, base axes. tau_out: written and "
    "returned\n"
    "when given, float64 (joints,). mass: (joints, joints) kg m^2 for the dynamic nullspace; without it that "
    "falls\n"
    "back to the kinematic one. float64 C-contiguous arrays are read in place.";

void read_measurement(Measurement& m, Eigen::Index joints, const Array& q, const Array& dq,
                      const Array& position, const Array& quaternion, const Array& twist,
                      const Array& jacobian, const Array& bias) {
  m.q = Eigen::Map<const JointVector>(numbers("q", q, joints), joints);
  m.dq = Eigen::Map<const JointVector>(numbers("dq", dq, joints), joints);
  m.bias = Eigen::Map<const JointVector>(numbers("bias", bias, joints), joints);
  m.pose = to_pose(position, quaternion);
  m.twist = to_vector6("twist", twist);
  if (jacobian.ndim() != 2 || jacobian.shape(0) != 6 || jacobian.shape(1) != joints) {
    throw py::value_error("jacobian must have shape (6, " + std::to_string(joints) +
                          "), base axes, at the tcp");
  }
  m.jacobian = Eigen::Map<const RowMajorJacobian>(jacobian.data(), 6, joints);
}

void read_mass(Measurement& m, Eigen::Index joints, const std::optional<Array>& mass) {
  m.mass.resize(0, 0);
  if (!mass) return;
  if (mass->ndim() != 2 || mass->shape(0) != joints || mass->shape(1) != joints) {
    const std::string size = std::to_string(joints);
    throw py::value_error("mass must have shape (" + size + ", " + size + "), kg m^2");
  }
  m.mass = Eigen::Map<const Eigen::MatrixXd>(mass->data(), joints, joints);
}

WrenchFrame to_frame(const std::string& name) {
  if (name == "base") return WrenchFrame::kBase;
  if (name == "tcp") return WrenchFrame::kTcp;
  throw py::value_error("frame is '" + name + "': must be base or tcp, the axes of the wrench");
}

/// Converting here would write into a copy that nobody sees, so only the exact type is taken.
py::array write_effort(const JointVector& effort, const std::optional<py::array>& out) {
  if (!out) {
    py::array_t<double> result(effort.size());
    std::copy(effort.data(), effort.data() + effort.size(), result.mutable_data());
    return result;
  }
  const bool fits = py::isinstance<py::array_t<double, py::array::c_style>>(*out) && out->writeable() &&
                    out->ndim() == 1 && out->shape(0) == effort.size();
  if (!fits) {
    throw py::value_error("tau_out must be a writable contiguous float64 array of " +
                          std::to_string(effort.size()) + " numbers");
  }
  py::array result = *out;
  std::copy(effort.data(), effort.data() + effort.size(), static_cast<double*>(result.mutable_data()));
  return result;
}

py::array update(Law& self, double now, double dt, const Array& q, const Array& dq, const Array& position,
                 const Array& quaternion, const Array& twist, const Array& jacobian, const Array& bias,
                 const std::optional<py::array>& out, const std::optional<Array>& mass) {
  if (!self.law.active())
    throw std::runtime_error("update: call reset(q, position, quaternion_xyzw, now) first");
  self.measurement.now = now;
  self.measurement.dt = dt;
  read_measurement(self.measurement, self.law.joints(), q, dq, position, quaternion, twist, jacobian, bias);
  read_mass(self.measurement, self.law.joints(), mass);
  return write_effort(self.law.update(self.measurement), out);
}

bool set_target(Law& self, const Array& position, const Array& quaternion, double stamp,
                const std::optional<Array>& wrench, const std::string& frame) {
  Target target;
  target.pose = to_pose(position, quaternion);
  target.stamp = stamp;
  target.wrench_frame = to_frame(frame);
  if (wrench) {
    target.mode = Mode::kPoseAndWrench;
    target.wrench = to_vector6("wrench", *wrench);
  }
  return self.law.set_target(target);
}

bool set_twist(Law& self, const Array& twist, double stamp) {
  Target target;
  target.mode = Mode::kTwist;
  target.twist = to_vector6("twist", twist);
  target.stamp = stamp;
  return self.law.set_target(target);
}

bool set_wrench(Law& self, const Array& wrench, double stamp, const std::string& frame) {
  Target target;
  target.mode = Mode::kWrench;
  target.wrench = to_vector6("wrench", wrench);
  target.wrench_frame = to_frame(frame);
  target.stamp = stamp;
  return self.law.set_target(target);
}

template <typename Flags>
py::array_t<std::uint8_t> flag_array(const Flags& flags, Eigen::Index size) {
  return py::array_t<std::uint8_t>(size, flags.data());
}

void bind_state(py::module_& module) {
  py::class_<State>(module, "State", "What the last update did; a snapshot. Base axes.")
      .def_property_readonly("reference_position",
                             [](const State& s) { return read_only(s.reference.position); })
      .def_property_readonly("reference_quaternion",
                             [](const State& s) { return quaternion_array(s.reference.orientation); })
      .def_property_readonly("error", [](const State& s) { return read_only(s.error); })
      .def_property_readonly("error_clipped", [](const State& s) { return read_only(s.error_clipped); })
      .def_property_readonly("wrench", [](const State& s) { return read_only(s.wrench); })
      .def_property_readonly("effort", [](const State& s) { return read_only(s.effort); })
      .def_property_readonly("push_negative", [](const State& s) { return read_only(s.push_negative); })
      .def_property_readonly("push_positive", [](const State& s) { return read_only(s.push_positive); })
      .def_property_readonly("commanded_wrench", [](const State& s) { return read_only(s.commanded_wrench); })
      .def_property_readonly("wall_wrench", [](const State& s) { return read_only(s.wall_wrench); })
      .def_property_readonly("mode", [](const State& s) { return static_cast<int>(s.mode); })
      .def_readonly("wrench_stale", &State::wrench_stale)
      .def_readonly("nullspace_fallback", &State::nullspace_fallback)
      .def_readonly("target_age", &State::target_age)
      .def_readonly("holding", &State::holding)
      .def_readonly("invalid_measurement", &State::invalid_measurement)
      .def_property_readonly("limit_flags", [](const State& s) { return flag_array(s.limit_flags, 6); })
      .def_property_readonly("joint_limit_flags",
                             [](const State& s) { return flag_array(s.joint_limit_flags, s.effort.size()); });
}

}  // namespace

void bind_law(py::module_& module) {
  bind_state(module);
  py::class_<Law>(module, "CartesianImpedance", "The control law. ValueError on a bad config.")
      .def(py::init<const ControllerConfig&>(), py::arg("config"))
      .def(
          "reset",
          [](Law& self, const Array& q, const Array& position, const Array& quaternion, double now) {
            self.law.reset(to_joint_vector("q", q), to_pose(position, quaternion), now);
          },
          py::arg("q"), py::arg("position"), py::arg("quaternion_xyzw"), py::arg("now"),
          "Activation: reference = measured pose, no target, effort starts at "
          "0. ValueError when not finite.")
      .def(
          "set_gains",
          [](Law& self, const Gains& gains) {
            validate(gains);
            self.law.set_gains(gains);
          },
          py::arg("gains"), "Ramps to this profile; ValueError when it is not valid.")
      .def(
          "set_wrench_gains",
          [](Law& self, const Gains& gains) {
            validate_wrench_gains(gains);
            self.law.set_wrench_gains(gains);
          },
          py::arg("gains"), "The same for the profile of the wrench mode.")
      .def("set_target", &set_target, py::arg("position"), py::arg("quaternion_xyzw"), py::arg("stamp"),
           py::arg("wrench") = py::none(), py::arg("frame") = "base",
           "Mode POSE, or POSE_AND_WRENCH with a wrench: (6,) N and Nm in base or tcp axes.\n"
           "False: not finite, quaternion not of unit length, or before reset; the last target stays.")
      .def("set_twist", &set_twist, py::arg("twist"), py::arg("stamp"),
           "Mode TWIST: the reference moves with (6,) m/s, rad/s in base axes. False: refused.")
      .def("set_wrench", &set_wrench, py::arg("wrench"), py::arg("stamp"), py::arg("frame") = "base",
           "Mode WRENCH: (6,) N and Nm at the tcp, in base or tcp axes. False: refused.")
      .def("update", &update, py::arg("now"), py::arg("dt"), py::arg("q"), py::arg("dq"), py::arg("position"),
           py::arg("quaternion_xyzw"), py::arg("twist"), py::arg("jacobian"), py::arg("bias"),
           py::arg("tau_out") = py::none(), py::arg("mass") = py::none(), kUpdateDoc)
      .def_property_readonly("state", [](const Law& self) { return State(self.law.state()); });
}

}  // namespace hilserl_control::python
