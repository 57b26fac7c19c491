// SPDX-License-Identifier: Apache-2.0
// A position-controlled arm with unit Jacobian (three slides, a small wrist) against stiff walls: what the
// admittance promises. Prints what fails and returns 1.
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>

#include "hilserl_control/admittance.hpp"
#include "hilserl_control/rotation.hpp"

namespace hc = hilserl_control;

namespace {

int failures = 0;

void expect(bool good, const char* what, double value) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "failed: %s (%g)\n", what, value);
}

hc::AdmittanceConfig config() {
  hc::AdmittanceConfig config;
  config.law.joints = 6;
  config.law.effort_limits = hc::JointVector::Constant(6, 1e6);
  config.law.max_effort_rate = hc::JointVector::Constant(1, 1e6);
  config.law.joint_lower = hc::JointVector::Constant(6, -2.0);
  config.law.joint_upper = hc::JointVector::Constant(6, 2.0);
  config.law.joint_limit_effort = 0.0;
  config.law.workspace_min.setConstant(-1.0);
  config.law.workspace_max.setConstant(1.0);
  config.law.target_timeout = 100.0;
  config.law.wrench_timeout = 100.0;
  config.max_joint_velocity = hc::JointVector::Constant(6, 2.0);
  return config;
}

/// The arm follows its command exactly; walls are springs.
struct World {
  explicit World(const hc::AdmittanceConfig& given, double rate = 1000.0) : law(given), dt(1.0 / rate) {
    q = hc::JointVector::Zero(given.law.joints);
    law.reset(q, pose(), 0.0);
  }

  hc::Pose pose() const {
    hc::Pose pose;
    pose.position = q.head<3>();
    pose.orientation = hc::exp3(q.segment<3>(3));
    return pose;
  }

  hc::Target target(double x, double y, double z) const {
    hc::Target target;
    target.pose.position << x, y, z;
    target.stamp = now;
    return target;
  }

  void step() {
    contact = wall ? wall(q) : hc::Vector6(hc::Vector6::Zero());
    hc::AdmittanceMeasurement m;
    now += dt;
    m.now = now;
    m.dt = dt;
    m.q = stuck ? hc::JointVector(hc::JointVector::Zero(6)) : q;
    m.pose = pose();
    m.jacobian = hc::Jacobian::Identity(6, q.size());
    m.wrench = contact + disturbance;
    const hc::JointVector before = q;
    q = law.update(m);
    fastest = std::max(fastest, (q - before).head<3>().norm() / dt);
    fastest_joint = std::max(fastest_joint, (q - before).cwiseAbs().maxCoeff() / dt);
  }

  void run(double seconds) {
    for (int i = 0; i < static_cast<int>(seconds / dt); ++i) step();
  }

  hc::CartesianAdmittance law;
  double dt;
  double now = 0.0;
  hc::JointVector q;
  bool stuck = false;
  hc::Vector6 contact = hc::Vector6::Zero();
  hc::Vector6 disturbance = hc::Vector6::Zero();
  std::function<hc::Vector6(const hc::JointVector&)> wall;
  double fastest = 0.0;
  double fastest_joint = 0.0;
};

/// 20 kN/m beyond `at` along `axis` on side `sign`.
std::function<hc::Vector6(const hc::JointVector&)> wall(Eigen::Index axis, double sign, double at) {
  return [=](const hc::JointVector& q) {
    hc::Vector6 wrench = hc::Vector6::Zero();
    wrench[axis] = -sign * 20000.0 * std::max(sign * q[axis] - at, 0.0);
    return wrench;
  };
}

void goes_to_the_target_within_its_speed() {
  World world(config());
  world.law.set_target(world.target(0.2, -0.1, 0.15));
  world.run(8.0);  // 2000 N/m times 2 mm against 89 N s/m: 4.5 cm/s
  expect((world.q.head<3>() - hc::Vector3(0.2, -0.1, 0.15)).norm() < 1e-3, "reaches the target",
         world.q.head<3>().norm());
  expect(world.fastest <= 0.25 + 1e-6, "speed limit", world.fastest);
}

void blocked_arm_pushes_with_stiffness_times_clip() {
  for (Eigen::Index axis = 0; axis < 3; ++axis) {
    for (const double sign : {-1.0, 1.0}) {
      const hc::AdmittanceConfig given = config();
      World world(given);
      world.wall = wall(axis, sign, 0.02);
      hc::Target target = world.target(0.0, 0.0, 0.0);
      target.pose.position[axis] = sign * 0.3;
      world.law.set_target(target);
      world.run(5.0);
      const hc::Vector6& clip = sign > 0 ? given.law.gains.clip_positive : given.law.gains.clip_negative;
      const double push = given.law.gains.stiffness[axis] * clip[axis] + given.wrench_deadband[0];
      expect(std::abs(world.contact[axis] + sign * push) < 0.05, "push of a blocked arm",
             world.contact[axis]);
    }
  }
}

void wrench_mode_controls_the_contact_force() {
  const hc::AdmittanceConfig given = config();
  World world(given);
  world.wall = wall(2, -1.0, 0.05);
  hc::Target target;
  target.mode = hc::Mode::kWrench;
  target.wrench[2] = -8.0;
  world.law.set_target(target);
  world.run(8.0);
  expect(std::abs(world.contact[2] - 9.0) < 0.1, "force 8 N and 1 N of dead band", world.contact[2]);
}

void a_hand_moves_it_and_it_comes_back() {
  World world(config());
  world.law.set_target(world.target(0.0, 0.0, 0.0));
  world.run(0.5);
  world.disturbance[1] = 2.0;
  world.run(1.0);
  expect(world.q[1] > 2e-4, "yields", world.q[1]);
  world.disturbance.setZero();
  world.run(3.0);
  expect(std::abs(world.q[1]) < 1e-4, "comes back", world.q[1]);
}

void lost_sensor_stops_the_motion() {
  World world(config());
  world.law.set_target(world.target(0.3, 0.0, 0.0));
  world.run(0.5);
  world.disturbance.setConstant(std::numeric_limits<double>::quiet_NaN());
  const double there = world.q[0];
  world.run(0.5);
  expect(world.q[0] == there, "stands while the sensor gives nothing", world.q[0] - there);
  expect(world.law.state().invalid_measurement, "and says so", 0.0);
  world.disturbance.setZero();
  world.run(9.0);
  expect(std::abs(world.q[0] - 0.3) < 1e-3, "goes on afterwards", world.q[0]);
}

void joints_keep_their_limits() {
  hc::AdmittanceConfig given = config();
  given.max_joint_velocity.setConstant(0.02);
  given.law.joint_upper[0] = 0.1;
  World world(given);
  world.law.set_target(world.target(0.4, 0.2, 0.0));
  world.run(8.0);
  expect(world.fastest_joint <= 0.02 + 1e-9, "joint speed", world.fastest_joint);
  expect(world.q[0] <= 0.1 && world.q[0] > 0.0999, "joint position", world.q[0]);
}

void command_stays_near_a_stuck_arm() {
  hc::AdmittanceConfig given = config();
  World world(given);
  world.stuck = true;
  world.law.set_target(world.target(0.5, 0.0, 0.0));
  world.run(5.0);
  expect(world.q[0] <= given.max_following_error + 1e-9, "following error", world.q[0]);
  expect(world.law.twist().norm() < 1e-3, "no speed is wound up", world.law.twist().norm());
}

void rates_give_the_same_motion() {
  double there[3];
  int i = 0;
  for (const double rate : {500.0, 1000.0, 2000.0}) {
    World world(config(), rate);
    world.law.set_target(world.target(0.2, 0.0, 0.0));
    world.run(0.6);
    there[i++] = world.q[0];
  }
  expect(std::abs(there[0] - there[1]) < 1e-3, "500 Hz as 1 kHz", there[0] - there[1]);
  expect(std::abs(there[2] - there[1]) < 1e-3, "2 kHz as 1 kHz", there[2] - there[1]);
}

void anything_at_all_keeps_the_limits() {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> unit(-1.0, 1.0);
  hc::AdmittanceConfig given = config();
  World world(given);
  const double odd[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                        1e308, -1e12};
  for (int cycle = 0; cycle < 200000; ++cycle) {
    if (cycle % 20 == 0) {
      hc::Target target = world.target(2.0 * unit(random), unit(random), unit(random));
      target.mode = static_cast<hc::Mode>(random() % 4);
      target.twist = hc::Vector6::NullaryExpr([&](Eigen::Index) { return unit(random); });
      target.wrench = hc::Vector6::NullaryExpr([&](Eigen::Index) { return 60.0 * unit(random); });
      if (random() % 5 == 0) target.wrench[2] = target.twist[0] = target.pose.position[1] = odd[random() % 4];
      world.law.set_target(target);
      world.disturbance = hc::Vector6::NullaryExpr([&](Eigen::Index) { return 30.0 * unit(random); });
      if (random() % 7 == 0) world.disturbance[static_cast<Eigen::Index>(random() % 6)] = odd[random() % 4];
    }
    world.step();
    if (!world.q.allFinite() || world.q.cwiseAbs().maxCoeff() > 2.0) {
      expect(false, "finite, within joint limits", cycle);
      return;
    }
  }
  expect(world.fastest_joint <= 2.0 + 1e-9, "joint speed under anything", world.fastest_joint);
}

void bad_numbers_are_refused() {
  const auto refused = [](const std::function<void(hc::AdmittanceConfig&)>& change, const char* name) {
    hc::AdmittanceConfig given = config();
    change(given);
    try {
      hc::CartesianAdmittance law(given);
    } catch (const std::invalid_argument& error) {
      expect(std::string(error.what()).find(name) == 0, error.what(), 0.0);
      return;
    }
    expect(false, name, 0.0);
  };
  refused([](auto& c) { c.mass[2] = 0.0; }, "mass is");
  refused([](auto& c) { c.mass.setConstant(0.1); }, "mass is");
  refused([](auto& c) { c.wrench_deadband[0] = -1.0; }, "wrench_deadband is");
  refused([](auto& c) { c.max_joint_velocity[3] = 0.0; }, "max_joint_velocity is");
  refused([](auto& c) { c.max_following_error = 0.0; }, "max_following_error is");
  refused([](auto& c) { c.posture_rate = -1.0; }, "posture_rate is");
  refused([](auto& c) { c.law.gains.stiffness[0] = -1.0; }, "gains.stiffness is");
}

}  // namespace

int main() {
  goes_to_the_target_within_its_speed();
  blocked_arm_pushes_with_stiffness_times_clip();
  wrench_mode_controls_the_contact_force();
  a_hand_moves_it_and_it_comes_back();
  lost_sensor_stops_the_motion();
  joints_keep_their_limits();
  command_stays_near_a_stuck_arm();
  rates_give_the_same_motion();
  anything_at_all_keeps_the_limits();
  bad_numbers_are_refused();
  if (failures == 0) std::printf("admittance holds\n");
  return failures == 0 ? 0 : 1;
}
