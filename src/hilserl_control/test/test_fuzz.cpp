// SPDX-License-Identifier: Apache-2.0
// Hostile targets, profiles and measurements in every mode never take effort, effort rate, wrench, commanded
// wrench, its rate, walls or reference out of their bounds. usage: test_fuzz [cycles]. Built a second time
// under the address and undefined-behaviour sanitizers.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fuzz.hpp"
#include "hilserl_control/rotation.hpp"

namespace hc = hilserl_control;

namespace {

constexpr double kRounding = 1e-9;
constexpr double kPeriod = 0.001;

hc::ControllerConfig config_under_test() {
  hc::ControllerConfig config;
  config.nullspace_mode = hc::NullspaceMode::kDynamic;
  config.orientation_bound = hc::OrientationBound{};
  config.wrench_limit_negative << 5.0, 20.0, 1.0, 0.0, 5.0, 3.0;
  return config;
}

/// What the last update left behind, to bound the next one's change.
struct Last {
  hc::JointVector effort;
  hc::Vector6 commanded = hc::Vector6::Zero();
};

bool within(const hc::Vector6& values, const Eigen::Vector2d& bound) {
  return values.head<3>().norm() <= bound[0] + kRounding && values.tail<3>().norm() <= bound[1] + kRounding;
}

bool within_per_axis(const hc::Vector6& values, const Eigen::Vector2d& bound) {
  return values.head<3>().cwiseAbs().maxCoeff() <= bound[0] + kRounding &&
         values.tail<3>().cwiseAbs().maxCoeff() <= bound[1] + kRounding;
}

/// The rule that is broken, or nullptr.
const char* broken_rule(const hc::ControllerConfig& config, const hc::State& s, const Last& last, double dt,
                        bool only_base_axes) {
  if (!s.effort.allFinite()) return "effort not finite";
  if (((s.effort.cwiseAbs() - config.effort_limits).array() > 0.0).any()) return "effort limit";
  const double step = config.max_effort_rate[0] * dt;
  if ((s.effort - last.effort).cwiseAbs().maxCoeff() > step + kRounding) return "effort rate";
  if (!s.wrench.allFinite() || !within(s.wrench, config.wrench_cap)) return "wrench cap";
  if (!within(s.commanded_wrench - last.commanded, config.max_wrench_rate * dt)) return "wrench rate";
  const hc::Vector6 low = -config.wrench_limit_negative;
  const hc::Vector6& high = config.wrench_limit_positive;
  if (only_base_axes && ((s.commanded_wrench - low).minCoeff() < -kRounding ||
                         (high - s.commanded_wrench).minCoeff() < -kRounding))
    return "wrench limit";
  if (!within(s.commanded_wrench, {high.head<3>().norm(), high.tail<3>().norm()}))
    return "wrench limit, norm";
  if (!within_per_axis(s.wall_wrench, config.wall_cap)) return "wall";
  const hc::Vector3& p = s.reference.position;
  if ((p - config.workspace_min).minCoeff() < -kRounding ||
      (config.workspace_max - p).minCoeff() < -kRounding)
    return "workspace";
  const auto& bound = *config.orientation_bound;
  const hc::Vector3 r = hc::log3(s.reference.orientation * bound.reference.conjugate());
  if ((r - bound.minimum).minCoeff() < -1e-6 || (bound.maximum - r).minCoeff() < -1e-6)
    return "orientation bound";
  return nullptr;
}

int run(long cycles, unsigned seed, bool only_base_axes) {
  hc::testing::Hostility hostile(seed);
  const hc::ControllerConfig config = config_under_test();
  hc::CartesianImpedance law(config);
  std::vector<hc::Measurement> pool;
  for (int i = 0; i < 512; ++i) pool.push_back(hc::testing::random_measurement(hostile.random()));
  law.reset(pool[0].q, pool[0].pose, 0.0);
  Last last{law.state().effort};
  long in_mode[4] = {};
  for (long cycle = 0; cycle < cycles; ++cycle) {
    hc::Measurement m = pool[static_cast<std::size_t>(hostile.draw(0, 511))];
    m.now = kPeriod * static_cast<double>(cycle);
    m.dt = kPeriod;
    if (hostile.one_in(cycle / 20000 % 2 == 0 ? 3 : 400)) {  // by turns a flood and silence
      hc::Target target = hostile.target(m.pose, m.now);
      if (only_base_axes && target.wrench_frame == hc::WrenchFrame::kTcp) target.wrench_frame = {};
      law.set_target(target);
    }
    if (hostile.one_in(50)) law.set_gains(hostile.gains(false));
    if (hostile.one_in(50)) law.set_wrench_gains(hostile.gains(true));
    if (hostile.one_in(6)) hostile.spoil(m);
    law.update(m);
    const hc::State& state = law.state();
    const double dt = std::isfinite(m.dt) ? std::min(std::max(m.dt, 0.0), config.max_period) : 0.0;
    if (const char* rule = broken_rule(config, state, last, dt, only_base_axes)) {
      std::fprintf(stderr, "seed %u, cycle %ld: %s\n", seed, cycle, rule);
      return 1;
    }
    ++in_mode[static_cast<std::size_t>(state.mode)];
    last = {state.effort, state.commanded_wrench};
  }
  for (const long count : in_mode) {
    if (count < cycles / 50) {
      std::fprintf(stderr, "a mode was in force in %ld of %ld cycles only\n", count, cycles);
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const long cycles = argc > 1 ? std::atol(argv[1]) : 1000000;
  if (run(cycles / 2, 1, false) != 0 || run(cycles / 2, 2, true) != 0) return 1;
  std::printf("bounded over %ld updates\n", cycles);
  return 0;
}
