// SPDX-License-Identifier: Apache-2.0
#include "bind.hpp"
#include "hilserl_control/state.hpp"

PYBIND11_MODULE(_hilserl_control, module) {
  namespace control = hilserl_control;
  module.doc() = "The control law of hilserl_control. See the package's README for the equations.";
  module.attr("MAX_JOINTS") = control::kMaxJoints;
  module.attr("MODE_POSE") = static_cast<int>(control::Mode::kPose);
  module.attr("MODE_TWIST") = static_cast<int>(control::Mode::kTwist);
  module.attr("MODE_WRENCH") = static_cast<int>(control::Mode::kWrench);
  module.attr("MODE_POSE_AND_WRENCH") = static_cast<int>(control::Mode::kPoseAndWrench);
  module.attr("LIMIT_CLIP") = static_cast<int>(control::kClip);
  module.attr("LIMIT_WORKSPACE") = static_cast<int>(control::kWorkspace);
  module.attr("LIMIT_SPEED") = static_cast<int>(control::kSpeed);
  module.attr("LIMIT_WRENCH_CAP") = static_cast<int>(control::kWrenchCap);
  module.attr("LIMIT_INVALID_TARGET") = static_cast<int>(control::kInvalidTarget);
  module.attr("LIMIT_WRENCH") = static_cast<int>(control::kWrenchLimit);
  module.attr("LIMIT_WRENCH_RATE") = static_cast<int>(control::kWrenchRate);
  module.attr("LIMIT_WALL") = static_cast<int>(control::kWall);
  module.attr("JOINT_LIMIT_EFFORT") = static_cast<int>(control::kEffort);
  module.attr("JOINT_LIMIT_RATE") = static_cast<int>(control::kRate);
  module.attr("JOINT_LIMIT_POSITION") = static_cast<int>(control::kJointLimit);
  control::python::bind_config(module);
  control::python::bind_law(module);
}
