// SPDX-License-Identifier: Apache-2.0
// Every invalid parameter fails on_configure with its name, its value and the rule.
#include <functional>

#include "impedance_fixture.hpp"

namespace hilserl_controllers::testing {
namespace {

using Numbers = std::vector<double>;

const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  const char* label;
  std::vector<rclcpp::Parameter> parameters;
  std::vector<const char*> said;  ///< all of it is in the error message
  ArmOptions arm = {};
};

std::vector<Case> cases() {
  std::vector<std::string> gap = arm_joints();
  gap.erase(gap.begin() + 3);
  std::vector<std::string> wrong = arm_joints();
  wrong[2] = "elbow";
  std::vector<std::string> twice = arm_joints();
  twice[1] = twice[0];
  return {
      {"NoJoints", {{"joints", std::vector<std::string>{}}}, {"joints", "empty"}},
      {"JointTwice", {{"joints", twice}}, {"joints", "unique"}},
      {"UnknownJoint", {{"joints", wrong}}, {"joints", "elbow", "joint3"}},
      {"MissingJoint", {{"joints", gap}}, {"joints", "must contain 'joint4'"}},
      {"NoBaseFrame", {{"base_frame", ""}}, {"base_frame", "empty"}},
      {"UnknownBaseFrame", {{"base_frame", "table"}}, {"base_frame", "table", "must be a link"}},
      {"UnknownEndEffector",
       {{"end_effector_frame", "hand"}},
       {"end_effector_frame", "hand", "must be a link"}},
      {"NegativeStiffness", {{"gains.stiffness", Numbers{-5, 1, 1, 1, 1, 1}}}, {"gains.stiffness", "-5"}},
      {"FiveStiffnesses", {{"gains.stiffness", Numbers{1, 1, 1, 1, 1}}}, {"gains.stiffness", "5", "6"}},
      {"StiffnessNotFinite", {{"gains.stiffness", Numbers{kNan, 1, 1, 1, 1, 1}}}, {"gains.stiffness", "nan"}},
      {"StiffnessOfWrongType", {{"gains.stiffness", "soft"}}, {"gains.stiffness", "string"}},
      {"NegativeDamping", {{"gains.damping", Numbers{1, 1, 1, 1, 1, -2}}}, {"gains.damping", "-2"}},
      {"FourDampings", {{"gains.damping", Numbers{1, 1, 1, 1}}}, {"gains.damping", "[1, 1, 1, 1]", "6"}},
      {"NegativeClip",
       {{"gains.clip_negative", Numbers{0, 0, -0.1, 0, 0, 0}}},
       {"gains.clip_negative", "-0.1"}},
      {"ClipAboveForceLimit",
       {{"gains.clip_positive", Numbers{0.03, 0, 0, 0, 0, 0}}},
       {"gains.clip_positive", "0.03", "60 N", "limits.max_force = 40"}},
      {"ClipAboveTorqueLimit",
       {{"gains.clip_negative", Numbers{0, 0, 0, 0, 0.2, 0}}},
       {"gains.clip_negative", "0.2", "15 Nm", "limits.max_torque = 10"}},
      {"PushWithoutStiffness",
       {{"gains.clip_unit", "force"},
        {"gains.stiffness", Numbers{0, 1, 1, 1, 1, 1}},
        {"gains.clip_negative", Numbers{5, 0, 0, 0, 0, 0}}},
       {"gains.stiffness", "5"}},
      {"UnknownClipUnit", {{"gains.clip_unit", "inch"}}, {"gains.clip_unit", "inch", "length"}},
      {"WrenchModeUndamped",
       {{"wrench_gains.damping", Numbers{0, 1, 1, 1, 1, 1}}},
       {"wrench_gains.damping", "0"}},
      {"NoForce", {{"limits.max_force", 0.0}}, {"limits.max_force", "0"}},
      {"NegativeSpeed", {{"limits.max_linear_speed", -0.1}}, {"limits.max_linear_speed", "-0.1"}},
      {"BoxInsideOut",
       {{"limits.workspace_min", Numbers{2, -1, -1}}},
       {"limits.workspace_min", "2", "below"}},
      {"BoxNotFinite", {{"limits.workspace_max", Numbers{1, kNan, 1}}}, {"limits.workspace_max", "nan"}},
      {"OrientationNotUnit",
       {{"limits.orientation_reference", Numbers{1, 1, 0, 0}}},
       {"limits.orientation_reference", "1"}},
      {"OrientationOfThree",
       {{"limits.orientation_reference", Numbers{1, 0, 0}}},
       {"limits.orientation_reference", "[1, 0, 0]", "4"}},
      {"EffortAboveDescription",
       {{"limits.effort", Numbers{87, 87, 87, 87, 12, 12, 90}}},
       {"limits.effort", "90", "joint7", "12"}},
      {"TooFewEfforts", {{"limits.effort", Numbers{1, 2}}}, {"limits.effort", "[1, 2]", "7"}},
      {"NoEffortAnywhere", {}, {"limits.effort", "joint1", "no effort limit"}, {"0 0 0", "0 0 0", false}},
      {"NegativeRate", {{"limits.effort_rate", Numbers{-1}}}, {"limits.effort_rate", "-1"}},
      {"ThreeRates", {{"limits.effort_rate", Numbers{1, 2, 3}}}, {"limits.effort_rate", "[1, 2, 3]", "7"}},
      {"WrenchLimitNegative",
       {{"limits.wrench_negative", Numbers{-1, 1, 1, 1, 1, 1}}},
       {"limits.wrench_negative", "-1"}},
      {"WallWeakerThanWrench", {{"walls.cap", Numbers{5, 8}}}, {"walls.cap", "5"}},
      {"TimeoutTooLong", {{"target_timeout", 60.0}}, {"target_timeout", "60", "10"}},
      {"PostureTooShort", {{"nullspace.posture", Numbers{0, 1}}}, {"nullspace.posture", "[0, 1]", "7"}},
      {"UnknownNullspace", {{"nullspace.mode", "elbow"}}, {"nullspace.mode", "elbow", "dynamic"}},
      {"NegativeNullspace", {{"nullspace.stiffness", -1.0}}, {"nullspace.stiffness", "-1"}},
      // Defect 1 of the references: a negative number that means "automatic" is used as a number.
      {"Defect01NegativeDampingRatio",
       {{"nullspace.damping_ratio", -1.0}},
       {"nullspace.damping_ratio", "-1"}},
      {"GravityOfTwo", {{"dynamics.gravity_vector", Numbers{0, 1}}}, {"dynamics.gravity_vector", "3"}},
      {"UnknownDynamics", {{"dynamics.source", "kdl"}}, {"dynamics.source", "kdl", "pinocchio"}},
      {"SensorFrameElsewhere",
       {{"force_torque_sensor.name", "ft"}, {"force_torque_sensor.frame", "link3"}},
       {"force_torque_sensor.frame", "link3", "rigidly"}},
      {"DivisorZero", {{"state_publish_divisor", 0}}, {"state_publish_divisor", "0"}},
  };
}

std::string captured;  // NOLINT: written by the log handler

void capture(const rcutils_log_location_t*, int severity, const char*, rcutils_time_point_value_t,
             const char* format, va_list* arguments) {
  if (severity < RCUTILS_LOG_SEVERITY_ERROR) return;
  char text[8192];
  va_list copy;
  va_copy(copy, *arguments);
  std::ignore = std::vsnprintf(text, sizeof(text), format, copy);
  va_end(copy);
  captured += text;
  captured += "\n";
}

class InvalidParameter : public ImpedanceTest, public ::testing::WithParamInterface<Case> {};

TEST_P(InvalidParameter, FailsConfigureWithNameValueAndRule) {
  captured.clear();
  const auto before = rcutils_logging_get_output_handler();
  rcutils_logging_set_output_handler(capture);
  init(GetParam().parameters, arm_description(GetParam().arm));
  const bool configured = arm_->configure();
  rcutils_logging_set_output_handler(before);
  EXPECT_FALSE(configured);
  for (const char* part : GetParam().said) EXPECT_THAT(captured, ::testing::HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(Impedance, InvalidParameter, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.label; });

TEST_F(ImpedanceTest, WrongDescriptionFailsConfigure) {
  for (const std::string description :
       {"", "<robot", "<?xml version='1.0'?><robot name='empty'><link name='a'/></robot>"}) {
    init({}, description);
    EXPECT_FALSE(arm_->configure());
  }
}

TEST_F(ImpedanceTest, WithoutFrankaItsModelIsRefused) {
  init({{"dynamics.source", "franka"}, {"dynamics.franka_arm", ""}});
  EXPECT_FALSE(arm_->configure());
}

TEST_F(ImpedanceTest, AfterAFailureTheRightParametersConfigure) {
  init({{"gains.clip_positive", Numbers{0.03, 0, 0, 0, 0, 0}}});
  EXPECT_FALSE(arm_->configure());
  arm_->controller().get_node()->set_parameter({"gains.clip_positive", Numbers{0.003, 0, 0, 0, 0, 0}});
  EXPECT_TRUE(arm_->configure());
}

}  // namespace
}  // namespace hilserl_controllers::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  rclcpp::init(argc, argv);
  const int result = RUN_ALL_TESTS();
  rclcpp::shutdown();
  return result;
}
