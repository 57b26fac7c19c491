// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <random>

#include "hilserl_control/cartesian_impedance.hpp"
#include "plant.hpp"

namespace hilserl_control::testing {

/// Draws what nobody should send: NaN, infinities, huge jumps, wrong sizes, unknown modes, other clocks.
class Hostility {
 public:
  explicit Hostility(unsigned seed) : random_(seed) {}

  std::mt19937& random() { return random_; }
  bool one_in(int number) { return draw(1, number) == 1; }
  int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }

  double number() {
    constexpr double kValues[] = {std::numeric_limits<double>::quiet_NaN(),
                                  std::numeric_limits<double>::infinity(),
                                  -std::numeric_limits<double>::infinity(),
                                  std::numeric_limits<double>::max(),
                                  -1e300,
                                  1e-310,
                                  0.0,
                                  1e6};
    return kValues[draw(0, 7)];
  }

  /// Some mode, some numbers, good and bad.
  Target target(const Pose& near, double now) {
    Target t;
    t.mode = static_cast<Mode>(one_in(20) ? 200 : draw(0, 3));
    t.wrench_frame = static_cast<WrenchFrame>(one_in(20) ? 9 : draw(0, 1));
    t.stamp = one_in(8) ? number() : now - (one_in(4) ? uniform(-1.0, 1.0) : 0.0);
    const double scale = std::pow(10.0, uniform(-3.0, 3.0));
    for (Eigen::Index i = 0; i < 6; ++i) {
      t.twist[i] = scale * uniform(-1.0, 1.0);
      t.wrench[i] = scale * uniform(-10.0, 10.0);
    }
    t.pose.position = near.position + scale * Vector3(uniform(-1, 1), uniform(-1, 1), uniform(-1, 1));
    t.pose.orientation =
        Quaternion(uniform(-1, 1), uniform(-1, 1), uniform(-1, 1), uniform(-1, 1) + 1e-3).normalized();
    if (one_in(6)) t.pose.position[draw(0, 2)] = number();
    if (one_in(10)) t.pose.orientation.coeffs()[draw(0, 3)] = number();
    if (one_in(6)) t.twist[draw(0, 5)] = number();
    if (one_in(6)) t.wrench[draw(0, 5)] = number();
    return t;
  }

  /// Sometimes a profile that is valid, sometimes not.
  Gains gains(bool wrench) {
    Gains g = wrench ? free_gains() : Gains{};
    g.stiffness *= uniform(0.0, 1.5);
    if (wrench && one_in(2)) g.stiffness[draw(0, 5)] = uniform(0.0, 1000.0);
    if (!wrench && one_in(2)) g.damping.reset();
    g.integral.setConstant(one_in(2) ? uniform(0.0, 400.0) : 0.0);
    g.clip_negative *= uniform(0.0, 5.0);
    g.clip_positive *= uniform(0.0, 5.0);
    if (one_in(4)) g.stiffness[draw(0, 5)] = number();
    if (one_in(4)) g.clip_negative[draw(0, 5)] = number();
    return g;
  }

  /// Spoils one number of the measurement, or a size.
  void spoil(Measurement& m) {
    switch (draw(0, 9)) {
      case 0:
        m.q[2] = number();
        break;
      case 1:
        m.dq[0] = number();
        break;
      case 2:
        m.twist[4] = number();
        break;
      case 3:
        m.jacobian(3, 3) = number();
        break;
      case 4:
        m.pose.position[1] = number();
        break;
      case 5:
        m.pose.orientation.w() = number();
        break;
      case 6:
        m.dt = number();
        break;
      case 7:
        m.mass(2, 1) = number();
        break;
      case 8:
        m.mass.resize(2, 2);
        break;
      default:
        m.bias.resize(3);
        break;
    }
  }

 private:
  std::mt19937 random_;
};

}  // namespace hilserl_control::testing
