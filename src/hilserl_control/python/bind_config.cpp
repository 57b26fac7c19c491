// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bind.hpp"
#include "hilserl_control/config.hpp"
#include "hilserl_control/push_limits.hpp"

namespace py = pybind11;

namespace hilserl_control::python {

namespace {

/// Array property of a fixed-size vector.
template <typename Owner, typename Vector>
void array_property(py::class_<Owner>& type, const char* name, Vector Owner::* field, const char* doc) {
  const auto get = [field](const Owner& self) { return read_only(self.*field); };
  const auto set = [field, name](Owner& self, const Array& values) {
    self.*field = Eigen::Map<const Vector>(numbers(name, values, Vector::SizeAtCompileTime));
  };
  type.def_property(name, get, set, doc);
}

/// Array property with one number per joint.
void joint_property(py::class_<ControllerConfig>& type, const char* name,
                    JointVector ControllerConfig::* field, const char* doc) {
  const auto get = [field](const ControllerConfig& self) { return read_only(self.*field); };
  const auto set = [field, name](ControllerConfig& self, const Array& values) {
    self.*field = to_joint_vector(name, values);
  };
  type.def_property(name, get, set, doc);
}

void bind_gains(py::module_& module) {
  py::class_<Gains> type(module, "Gains",
                         "One compliance profile; six-vectors x y z, then rotation, base axes.");
  type.def(py::init<>());
  array_property(type, "stiffness", &Gains::stiffness, "(6,) N/m, Nm/rad");
  type.def_property(
      "damping",
      [](const Gains& self) -> py::object {
        return self.damping ? py::object(read_only(*self.damping)) : py::none();
      },
      [](Gains& self, const std::optional<Array>& values) {
        self.damping.reset();
        if (values) self.damping = to_vector6("damping", *values);
      },
      "(6,) N s/m, Nm s/rad; None: 2 * damping_ratio * sqrt(stiffness)");
  array_property(type, "damping_ratio", &Gains::damping_ratio, "(6,) used when damping is None");
  array_property(type, "integral", &Gains::integral, "(6,) N/(m s), Nm/(rad s)");
  array_property(type, "clip_negative", &Gains::clip_negative,
                 "(6,) m, rad: magnitude of the lower error bound");
  array_property(type, "clip_positive", &Gains::clip_positive,
                 "(6,) m, rad: magnitude of the upper error bound");
  type.def_property_readonly(
      "push_negative", [](const Gains& self) { return read_only(push_limits(self).negative); },
      "(6,) N, Nm: how hard a blocked arm pushes towards minus, stiffness * clip_negative");
  type.def_property_readonly(
      "push_positive", [](const Gains& self) { return read_only(push_limits(self).positive); },
      "(6,) N, Nm: how hard a blocked arm pushes towards plus, stiffness * clip_positive");
  type.def(
      "set_push_limits",
      [](Gains& self, const Array& negative, const Array& positive) {
        set_push_limits(self, {to_vector6("negative", negative), to_vector6("positive", positive)});
      },
      py::arg("negative"), py::arg("positive"),
      "Sets the clips from (6,) N, Nm magnitudes: clip = limit / stiffness. ValueError naming the axis.");
}

void bind_orientation_bound(py::module_& module) {
  using Bound = OrientationBound;
  py::class_<Bound> type(module, "OrientationBound",
                         "Bound of the target orientation: rotation vector "
                         "from `reference`, base axes, per axis.");
  type.def(py::init([](const Array& reference, const Array& minimum, const Array& maximum) {
             Bound bound;
             bound.reference.coeffs() = Eigen::Map<const Eigen::Vector4d>(numbers("reference", reference, 4));
             bound.minimum = to_vector3("minimum", minimum);
             bound.maximum = to_vector3("maximum", maximum);
             return bound;
           }),
           py::arg("reference"), py::arg("minimum"), py::arg("maximum"),
           "reference: (4,) quaternion x y z w. minimum, maximum: (3,) rad.");
  type.def_property_readonly("reference", [](const Bound& self) { return quaternion_array(self.reference); });
  type.def_property_readonly("minimum", [](const Bound& self) { return read_only(self.minimum); });
  type.def_property_readonly("maximum", [](const Bound& self) { return read_only(self.maximum); });
}

constexpr const char* kNullspaceModes[] = {"none", "kinematic", "dynamic"};

void bind_nullspace_mode(py::class_<ControllerConfig>& type) {
  type.def_property(
      "nullspace_mode",
      [](const ControllerConfig& self) {
        return kNullspaceModes[static_cast<std::size_t>(self.nullspace_mode)];
      },
      [](ControllerConfig& self, const std::string& name) {
        for (std::uint8_t i = 0; i < 3; ++i) {
          if (name != kNullspaceModes[i]) continue;
          self.nullspace_mode = static_cast<NullspaceMode>(i);
          return;
        }
        throw py::value_error("nullspace_mode is '" + name + "': must be none, kinematic or dynamic");
      },
      "none, kinematic or dynamic");
}

void bind_joint_fields(py::class_<ControllerConfig>& type) {
  using Config = ControllerConfig;
  type.def_readwrite("joints", &Config::joints, "number of joints, 1 to MAX_JOINTS");
  joint_property(type, "effort_limits", &Config::effort_limits, "(joints,) Nm");
  joint_property(type, "joint_lower", &Config::joint_lower, "(joints,) rad");
  joint_property(type, "joint_upper", &Config::joint_upper, "(joints,) rad");
  type.def_property(
      "max_effort_rate", [](const Config& self) { return read_only(self.max_effort_rate); },
      [](Config& self, const Array& values) {
        self.max_effort_rate = values.ndim() == 0 ? JointVector::Constant(1, *values.data())
                                                  : to_joint_vector("max_effort_rate", values);
      },
      "Nm/s; one number for all joints or (joints,)");
  type.def_property(
      "nullspace_posture",
      [](const Config& self) -> py::object {
        return self.nullspace_posture ? py::object(read_only(*self.nullspace_posture)) : py::none();
      },
      [](Config& self, const std::optional<Array>& values) {
        self.nullspace_posture.reset();
        if (values) self.nullspace_posture = to_joint_vector("nullspace_posture", *values);
      },
      "(joints,) rad; None: the posture at reset");
  type.def_readwrite("nullspace_stiffness", &Config::nullspace_stiffness, "Nm/rad");
  type.def_readwrite("joint1_nullspace_stiffness", &Config::joint1_nullspace_stiffness,
                     "Nm/rad on top for joint 1");
  type.def_readwrite("nullspace_damping_ratio", &Config::nullspace_damping_ratio);
  type.def_readwrite("nullspace_regularization", &Config::nullspace_regularization,
                     "lambda of J J^T + lambda^2 I");
  type.def_readwrite("joint_limit_margin", &Config::joint_limit_margin,
                     "rad before a limit where repulsion begins");
  type.def_readwrite("joint_limit_effort", &Config::joint_limit_effort, "Nm of repulsion at the limit");
}

void bind_cartesian_fields(py::class_<ControllerConfig>& type) {
  using Config = ControllerConfig;
  array_property(type, "workspace_min", &Config::workspace_min, "(3,) m, box for the target, base frame");
  array_property(type, "workspace_max", &Config::workspace_max, "(3,) m");
  array_property(type, "wrench_cap", &Config::wrench_cap, "(2,) N, Nm: norms of force and torque");
  array_property(type, "integral_cap", &Config::integral_cap, "(2,) N, Nm per axis");
  array_property(type, "wrench_limit_negative", &Config::wrench_limit_negative,
                 "(6,) N, Nm: magnitude of a commanded wrench towards minus");
  array_property(type, "wrench_limit_positive", &Config::wrench_limit_positive, "(6,) N, Nm: towards plus");
  array_property(type, "max_wrench_rate", &Config::max_wrench_rate, "(2,) N/s, Nm/s of a commanded wrench");
  array_property(type, "wall_stiffness", &Config::wall_stiffness, "(2,) N/m, Nm/rad of the soft walls");
  array_property(type, "wall_damping", &Config::wall_damping, "(2,) N s/m, Nm s/rad");
  array_property(type, "wall_margin", &Config::wall_margin, "(2,) m, rad: damping is in full beyond");
  array_property(type, "wall_cap", &Config::wall_cap, "(2,) N, Nm per axis");
  type.def_readwrite("orientation_bound", &Config::orientation_bound, "OrientationBound or None");
  type.def_readwrite("twist_timeout", &Config::twist_timeout, "s");
  type.def_readwrite("wrench_timeout", &Config::wrench_timeout, "s");
  type.def_readwrite("wrench_gains", &Config::wrench_gains, "profile of the wrench mode");
  type.def_readwrite("max_linear_speed", &Config::max_linear_speed, "m/s, of the reference");
  type.def_readwrite("max_angular_speed", &Config::max_angular_speed, "rad/s, of the reference");
  type.def_readwrite("reference_time_constant", &Config::reference_time_constant, "s, 0: no smoothing");
  type.def_readwrite("gain_time_constant", &Config::gain_time_constant, "s, 0: no ramp");
  type.def_readwrite("target_timeout", &Config::target_timeout, "s");
  type.def_readwrite("max_period", &Config::max_period, "s, a longer cycle counts as this long");
  type.def_readwrite("gains", &Config::gains);
}

}  // namespace

void bind_config(py::module_& module) {
  bind_gains(module);
  bind_orientation_bound(module);
  py::class_<ControllerConfig> type(module, "ControllerConfig",
                                    "Numbers of the law; defaults: Panda, RAM insertion.");
  type.def(py::init<>());
  bind_joint_fields(type);
  bind_cartesian_fields(type);
  bind_nullspace_mode(type);
  type.def(
      "validate", [](const ControllerConfig& self) { validate(self); },
      "ValueError naming the first field that is wrong, its value and the rule.");
}

}  // namespace hilserl_control::python
