// SPDX-License-Identifier: Apache-2.0
// Time of one cycle with 7 joints, dynamics included. Prints one JSON line: median_us, p999_us and max_us of
// kinematics, Jacobian, mass matrix, Coriolis, gravity and the law with the dynamic nullspace; then the same
// names with plugin_ in front: update() of the whole CartesianImpedanceController with its interfaces and
// state topic.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "arm_description.hpp"
#include "controller_under_test.hpp"
#include "hilserl_control/cartesian_impedance.hpp"
#include "hilserl_controllers/arm_model.hpp"
#include "hilserl_controllers/cartesian_impedance_controller.hpp"

namespace hilserl_controllers {
namespace {

constexpr double kPeriod = 0.001;  // s
constexpr std::size_t kPostures = 256;

/// Postures and velocities around the ready one.
struct Motion {
  JointVector q, dq;
};

std::vector<Motion> motions() {
  std::mt19937 random(0);
  std::uniform_real_distribution<double> unit(-1.0, 1.0);
  const JointVector ready = (JointVector(7) << 0.1, -0.4, 0.2, -2.1, 0.3, 1.8, 0.6).finished();
  std::vector<Motion> all(kPostures, Motion{ready, ready});
  for (Motion& motion : all) {
    for (Eigen::Index i = 0; i < 7; ++i) {
      motion.q[i] += 0.2 * unit(random);
      motion.dq[i] = 0.2 * unit(random);
    }
  }
  return all;
}

/// Sorted times of `cycles` calls of `cycle(motion)`, microseconds; `prepare(motion)` is not counted.
template <typename Prepare, typename Cycle>
std::vector<double> timed(long cycles, const Prepare& prepare, const Cycle& cycle) {
  using Clock = std::chrono::steady_clock;
  const std::vector<Motion> all = motions();
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(cycles));
  for (long i = 0; i < cycles; ++i) {
    const Motion& motion = all[static_cast<std::size_t>(i) % kPostures];
    prepare(motion);
    const auto begin = Clock::now();
    cycle(motion);
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::vector<double> dynamics_and_law(long cycles) {
  ArmModel model(testing::arm_description(), {testing::arm_joints(), "base", "tcp", {0.0, 0.0, -9.81}});
  hilserl_control::ControllerConfig config;
  config.nullspace_mode = hilserl_control::NullspaceMode::kDynamic;
  hilserl_control::CartesianImpedance law(config);
  hilserl_control::Measurement measured;
  measured.dt = kPeriod;
  bool first = true;
  const auto cycle = [&](const Motion& motion) {
    measured.now += kPeriod;
    measured.q = motion.q;
    measured.dq = motion.dq;
    model.update_kinematics(motion.q);
    model.update_dynamics(motion.q, motion.dq);
    measured.pose = model.pose();
    measured.jacobian = model.jacobian();
    measured.twist = measured.jacobian.lazyProduct(motion.dq);
    measured.bias = model.coriolis() + model.gravity();
    measured.mass = model.mass();
    if (first) law.reset(measured.q, measured.pose, measured.now);
    first = false;
    law.update(measured);
  };
  return timed(cycles, [](const Motion&) {}, cycle);
}

std::vector<double> whole_plugin(long cycles) {
  testing::ControllerUnderTest<CartesianImpedanceController> arm("effort");
  const bool active =
      arm.init(testing::arm_description(), {{"joints", testing::arm_joints()},
                                            {"base_frame", "base"},
                                            {"end_effector_frame", "tcp"},
                                            {"limits.workspace_min", std::vector<double>{-1.0, -1.0, -1.0}},
                                            {"limits.workspace_max", std::vector<double>{1.0, 1.0, 1.0}},
                                            {"nullspace.mode", "dynamic"},
                                            {"dynamics.gravity", true}}) &&
      arm.configure() && arm.activate();
  if (!active) {
    std::fprintf(stderr, "bench_update: the controller did not become active\n");
    std::exit(1);
  }
  const auto prepare = [&arm](const Motion& motion) {
    for (std::size_t i = 0; i < 7; ++i) {
      arm.set_state(testing::arm_joints()[i] + "/position", motion.q[static_cast<Eigen::Index>(i)]);
      arm.set_state(testing::arm_joints()[i] + "/velocity", motion.dq[static_cast<Eigen::Index>(i)]);
    }
  };
  return timed(cycles, prepare, [&arm](const Motion&) { arm.update(kPeriod); });
}

void print(const char* prefix, const std::vector<double>& sorted) {
  const auto quantile = [&sorted](double fraction) {
    return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
  };
  std::printf(", \"%smedian_us\": %.3f, \"%sp999_us\": %.3f, \"%smax_us\": %.3f", prefix, quantile(0.5),
              prefix, quantile(0.999), prefix, sorted.back());
}

}  // namespace
}  // namespace hilserl_controllers

int main(int argc, char** argv) {
  const long cycles = argc > 1 ? std::atol(argv[1]) : 1000000;
  if (cycles < 1) {
    std::fprintf(stderr, "usage: bench_update [cycles >= 1], e.g. bench_update 1000000\n");
    return 2;
  }
  rclcpp::init(1, argv);
  std::printf("{\"benchmark\": \"controller_update\", \"joints\": 7, \"cycles\": %ld", cycles);
  hilserl_controllers::print("", hilserl_controllers::dynamics_and_law(cycles));
  hilserl_controllers::print("plugin_", hilserl_controllers::whole_plugin(cycles));
  std::printf("}\n");
  rclcpp::shutdown();
  return 0;
}
