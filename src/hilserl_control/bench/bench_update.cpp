// SPDX-License-Identifier: Apache-2.0
// Time of one update() with 7 joints, dynamics excluded. Prints one JSON line.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "hilserl_control/cartesian_impedance.hpp"
#include "plant.hpp"

namespace hc = hilserl_control;

namespace {

constexpr double kPeriod = 0.001;

double microseconds_of_one_update(hc::CartesianImpedance& law, const hc::Measurement& measurement) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  law.update(measurement);
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double quantile(const std::vector<double>& sorted, double fraction) {
  return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  const long cycles = argc > 1 ? std::atol(argv[1]) : 1000000;
  if (cycles < 1) {
    std::fprintf(stderr, "usage: bench_update [cycles >= 1], e.g. bench_update 1000000\n");
    return 2;
  }
  std::mt19937 random(0);
  std::vector<hc::Measurement> measurements;
  for (int i = 0; i < 256; ++i) measurements.push_back(hc::testing::random_measurement(random));

  hc::CartesianImpedance law{hc::ControllerConfig()};
  law.reset(measurements[0].q, measurements[0].pose, 0.0);
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(cycles));
  for (long cycle = 0; cycle < cycles; ++cycle) {
    auto& measurement = measurements[static_cast<std::size_t>(cycle) % measurements.size()];
    measurement.now = kPeriod * static_cast<double>(cycle);
    measurement.dt = kPeriod;
    if (cycle % 100 == 0)
      law.set_target({measurements[static_cast<std::size_t>(cycle / 100) % 256].pose, hc::Vector6::Zero(),
                      measurement.now});
    times.push_back(microseconds_of_one_update(law, measurement));
  }
  std::sort(times.begin(), times.end());
  std::printf(
      "{\"benchmark\": \"control_update\", \"joints\": 7, \"cycles\": %ld, \"median_us\": %.3f, \"p999_us\": "
      "%.3f, "
      "\"max_us\": %.3f}\n",
      cycles, quantile(times, 0.5), quantile(times, 0.999), times.back());
  return 0;
}
