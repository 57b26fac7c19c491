// SPDX-License-Identifier: Apache-2.0
// Random and hostile inputs under the address and undefined-behaviour sanitizers; effort and its rate stay
// bounded.
#include <cmath>
#include <cstdio>
#include <limits>

#include "hilserl_control/cartesian_impedance.hpp"
#include "plant.hpp"

namespace hc = hilserl_control;

namespace {

double hostile(std::mt19937& random) {
  constexpr double kValues[] = {std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::max(),
                                -1e300,
                                1e-310,
                                0.0,
                                1e6};
  return kValues[std::uniform_int_distribution<std::size_t>(0, 7)(random)];
}

bool one_in(int number, std::mt19937& random) {
  return std::uniform_int_distribution<int>(1, number)(random) == 1;
}

/// Spoils one number of the measurement, or a size.
void spoil(hc::Measurement& m, std::mt19937& random) {
  switch (std::uniform_int_distribution<int>(0, 7)(random)) {
    case 0:
      m.q[2] = hostile(random);
      break;
    case 1:
      m.dq[0] = hostile(random);
      break;
    case 2:
      m.twist[4] = hostile(random);
      break;
    case 3:
      m.jacobian(3, 3) = hostile(random);
      break;
    case 4:
      m.pose.position[1] = hostile(random);
      break;
    case 5:
      m.pose.orientation.w() = hostile(random);
      break;
    case 6:
      m.dt = hostile(random);
      break;
    default:
      m.bias.resize(3);
      break;
  }
}

}  // namespace

int main() {
  std::mt19937 random(1);
  const hc::ControllerConfig config;
  hc::CartesianImpedance law(config);
  hc::Measurement m = hc::testing::random_measurement(random);
  law.reset(m.q, m.pose, 0.0);
  hc::JointVector last = law.state().effort;
  for (int cycle = 0; cycle < 200000; ++cycle) {
    m = hc::testing::random_measurement(random);
    m.now = 0.001 * cycle;
    m.dt = 0.001;
    hc::Target target{hc::testing::random_measurement(random).pose, hc::Vector6::Zero(), m.now};
    if (one_in(3, random)) target.pose.position[0] = hostile(random);
    if (one_in(5, random)) target.feedforward_wrench[1] = hostile(random);
    if (one_in(5, random)) target.stamp = hostile(random);
    law.set_target(target);
    if (one_in(4, random)) spoil(m, random);
    const hc::JointVector effort = law.update(m);
    const double step =
        config.max_effort_rate[0] * std::min(std::max(std::isfinite(m.dt) ? m.dt : 0.0, 0.0), 0.01);
    const bool bounded = ((effort.cwiseAbs() - config.effort_limits).array() <= 0.0).all() &&
                         ((effort - last).cwiseAbs().array() <= step + 1e-9).all();
    if (!effort.allFinite() || !bounded) {
      std::fprintf(stderr, "cycle %d: effort out of bounds\n", cycle);
      return 1;
    }
    last = effort;
  }
  std::printf("bounded\n");
  return 0;
}
