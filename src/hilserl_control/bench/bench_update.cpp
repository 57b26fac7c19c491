// SPDX-License-Identifier: Apache-2.0
// Time of one update() with 7 joints, dynamics excluded: pose mode, wrench mode, pose mode with the dynamic
// nullspace. Prints one JSON line: median_us, p999_us and max_us of the pose mode, then the same names with
// the case in front.
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

struct Case {
  const char* prefix;
  hc::Mode mode;
  hc::NullspaceMode nullspace;
};

constexpr Case kCases[] = {
    {"", hc::Mode::kPose, hc::NullspaceMode::kKinematic},
    {"wrench_", hc::Mode::kWrench, hc::NullspaceMode::kKinematic},
    {"dynamic_nullspace_", hc::Mode::kPose, hc::NullspaceMode::kDynamic},
};

double microseconds_of_one_update(hc::CartesianImpedance& law, const hc::Measurement& measurement) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  law.update(measurement);
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double quantile(const std::vector<double>& sorted, double fraction) {
  return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

/// Sorted times of `cycles` updates, a target every 100.
std::vector<double> run(const Case& benchmark, std::vector<hc::Measurement>& measurements, long cycles) {
  hc::ControllerConfig config;
  config.nullspace_mode = benchmark.nullspace;
  hc::CartesianImpedance law{config};
  law.reset(measurements[0].q, measurements[0].pose, 0.0);
  hc::Target target;
  target.mode = benchmark.mode;
  target.wrench_frame = hc::WrenchFrame::kTcp;
  target.wrench << 1.0, 2.0, 3.0, 0.1, 0.2, 0.3;
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(cycles));
  for (long cycle = 0; cycle < cycles; ++cycle) {
    auto& measurement = measurements[static_cast<std::size_t>(cycle) % measurements.size()];
    measurement.now = kPeriod * static_cast<double>(cycle);
    measurement.dt = kPeriod;
    if (cycle % 100 == 0) {
      target.pose = measurements[static_cast<std::size_t>(cycle / 100) % measurements.size()].pose;
      target.stamp = measurement.now;
      law.set_target(target);
    }
    times.push_back(microseconds_of_one_update(law, measurement));
  }
  std::sort(times.begin(), times.end());
  return times;
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

  std::printf("{\"benchmark\": \"control_update\", \"joints\": 7, \"cycles\": %ld", cycles);
  for (const Case& benchmark : kCases) {
    const std::vector<double> times = run(benchmark, measurements, cycles);
    std::printf(", \"%smedian_us\": %.3f, \"%sp999_us\": %.3f, \"%smax_us\": %.3f", benchmark.prefix,
                quantile(times, 0.5), benchmark.prefix, quantile(times, 0.999), benchmark.prefix,
                times.back());
  }
  std::printf("}\n");
  return 0;
}
