// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <sstream>
#include <string>
#include <vector>

namespace hilserl_controllers::testing {

/// What a test may change about the arm.
struct ArmOptions {
  std::string base_xyz = "0 0 0";  ///< m, of the arm's base link in the root link
  std::string base_rpy = "0 0 0";  ///< rad
  bool effort_limits = true;
};

inline const std::vector<std::string>& arm_joints() {
  static const std::vector<std::string> names = {"joint1", "joint2", "joint3", "joint4",
                                                 "joint5", "joint6", "joint7"};
  return names;
}

/// URDF of a 7-joint arm with the kinematics of a Panda (Denavit-Hartenberg numbers of Franka's FCI
/// documentation) and plain round inertias, with a tcp, a force-torque sensor link and one finger joint that
/// is not the arm's.
inline std::string arm_description(const ArmOptions& options = {}) {
  struct Joint {
    const char* xyz;
    const char* rpy;
    double lower, upper, effort;
  };
  constexpr double kQuarter = 1.5707963267948966;
  const std::string plus = std::to_string(kQuarter) + " 0 0";
  const std::string minus = std::to_string(-kQuarter) + " 0 0";
  const std::array<Joint, 7> joints = {{{"0 0 0.333", "0 0 0", -2.8973, 2.8973, 87.0},
                                        {"0 0 0", minus.c_str(), -1.7628, 1.7628, 87.0},
                                        {"0 -0.316 0", plus.c_str(), -2.8973, 2.8973, 87.0},
                                        {"0.0825 0 0", plus.c_str(), -3.0718, -0.0698, 87.0},
                                        {"-0.0825 0.384 0", minus.c_str(), -2.8973, 2.8973, 12.0},
                                        {"0 0 0", plus.c_str(), -0.0175, 3.7525, 12.0},
                                        {"0.088 0 0", plus.c_str(), -2.8973, 2.8973, 12.0}}};
  const std::string inertial =
      "<inertial><origin xyz='0.02 0.01 0.05'/><mass value='2'/>"
      "<inertia ixx='0.02' iyy='0.02' izz='0.01' ixy='0' ixz='0' iyz='0'/></inertial>";
  std::ostringstream text;
  text << "<?xml version='1.0'?><robot name='arm'><link name='world'/><link name='base'/>"
       << "<joint name='mount' type='fixed'><parent link='world'/><child link='base'/><origin xyz='"
       << options.base_xyz << "' rpy='" << options.base_rpy << "'/></joint>";
  std::string parent = "base";
  for (std::size_t i = 0; i < joints.size(); ++i) {
    const std::string link = "link" + std::to_string(i + 1);
    text << "<link name='" << link << "'>" << inertial << "</link><joint name='" << arm_joints()[i]
         << "' type='revolute'><parent link='" << parent << "'/><child link='" << link << "'/><origin xyz='"
         << joints[i].xyz << "' rpy='" << joints[i].rpy << "'/><axis xyz='0 0 1'/><limit lower='"
         << joints[i].lower << "' upper='" << joints[i].upper << "' velocity='2.1' effort='"
         << (options.effort_limits ? joints[i].effort : 0.0) << "'/></joint>";
    parent = link;
  }
  text << "<link name='tcp'/><joint name='flange' type='fixed'><parent link='link7'/><child link='tcp'/>"
       << "<origin xyz='0 0 0.2' rpy='0 0 0'/></joint>"
       << "<link name='sensor'/><joint name='sensor_mount' type='fixed'><parent link='link7'/>"
       << "<child link='sensor'/><origin xyz='0 0 0.1' rpy='0 0 " << kQuarter << "'/></joint>"
       << "<link name='finger'>" << inertial << "</link><joint name='finger_joint' type='prismatic'>"
       << "<parent link='tcp'/><child link='finger'/><axis xyz='0 1 0'/>"
       << "<limit lower='0' upper='0.04' velocity='0.1' effort='20'/></joint></robot>";
  return text.str();
}

}  // namespace hilserl_controllers::testing
