// SPDX-License-Identifier: Apache-2.0
// Traps every way to the heap and shows that no call of the cycle takes one: every mode, good, bad, stale,
// changing profiles, both nullspace projections, walls.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "hilserl_control/cartesian_impedance.hpp"
#include "plant.hpp"

namespace hc = hilserl_control;

namespace {
bool trap_armed = false;
long allocations = 0;

void count() noexcept {
  if (trap_armed) ++allocations;
}
}  // namespace

// glibc's own entry points; the C++ operators end up here as well.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* block, std::size_t size) {
  count();
  return __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  count();
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : 12;
}
}

namespace {

/// The trap itself must work, or the test below could not fail.
bool trap_sees_new() {
  trap_armed = true;
  const long before = allocations;
  auto block = std::make_unique<std::vector<double>>(1000);
  void* volatile keep = block.get();
  trap_armed = false;
  return keep != nullptr && allocations >= before + 2;
}

void run_cycles(hc::CartesianImpedance& law, std::vector<hc::Measurement>& measurements) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  hc::Gains soft;
  soft.stiffness *= 0.2;
  soft.damping.reset();
  soft.integral.setConstant(10.0);
  hc::Gains invalid;
  invalid.stiffness[0] = -1.0;
  hc::Target target;
  for (int cycle = 0; cycle < 5000; ++cycle) {
    auto& measurement = measurements[static_cast<std::size_t>(cycle) % measurements.size()];
    measurement.now = 0.001 * cycle;
    measurement.dt = 0.001;
    target.pose = measurements[static_cast<std::size_t>(cycle / 7) % measurements.size()].pose;
    target.pose.position[0] = cycle % 11 == 0 ? nan : target.pose.position[0];
    target.stamp = measurement.now;
    target.mode = static_cast<hc::Mode>(cycle / 50 % 5);  // 4: no such mode
    target.wrench_frame = static_cast<hc::WrenchFrame>(cycle / 300 % 2);
    target.twist.setConstant(cycle % 13 == 0 ? nan : 0.1);
    target.wrench.setConstant(cycle % 17 == 0 ? nan : 30.0);
    if (cycle % 2000 < 1000) law.set_target(target);  // then stale
    if (cycle % 500 == 0) law.set_gains(cycle % 1000 == 0 ? soft : invalid);
    if (cycle % 700 == 0) law.set_wrench_gains(cycle % 1400 == 0 ? soft : invalid);
    if (cycle % 1500 == 0) law.reset(measurement.q, measurement.pose, measurement.now);
    law.update(measurement);
  }
}

}  // namespace

int main() {
  if (!trap_sees_new()) {
    std::fprintf(stderr, "the trap does not see allocations\n");
    return 1;
  }
  std::mt19937 random(0);
  for (Eigen::Index joints = 6; joints <= 7; ++joints) {
    std::vector<hc::Measurement> measurements;
    for (int i = 0; i < 32; ++i) measurements.push_back(hc::testing::random_measurement(random, joints));
    measurements[5].twist[2] = std::numeric_limits<double>::quiet_NaN();
    measurements[6].dq.setConstant(1e300);
    measurements[7].mass.resize(0, 0);
    hc::ControllerConfig config;
    config.nullspace_mode = hc::NullspaceMode::kDynamic;
    config.orientation_bound = hc::OrientationBound{};
    config.workspace_max[0] = 0.5;  // half of the measurements are beyond a wall
    config.joints = joints;
    config.effort_limits = config.effort_limits.head(joints).eval();
    config.joint_lower = config.joint_lower.head(joints).eval();
    config.joint_upper = config.joint_upper.head(joints).eval();
    hc::CartesianImpedance law(config);
    law.reset(measurements[0].q, measurements[0].pose, 0.0);
    allocations = 0;
    trap_armed = true;
    run_cycles(law, measurements);
    trap_armed = false;
    if (allocations != 0) {
      std::fprintf(stderr, "%ld allocations in the cycle with %ld joints\n", allocations,
                   static_cast<long>(joints));
      return 1;
    }
  }
  std::printf("no allocation\n");
  return 0;
}
