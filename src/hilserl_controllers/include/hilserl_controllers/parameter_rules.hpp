// SPDX-License-Identifier: Apache-2.0
// Rules of the parameter files for numbers. Those of generate_parameter_library become ranges of the
// parameter's descriptor, and then the error of rclcpp says neither the value nor the range.
#pragma once

#include <cmath>
#include <rclcpp/parameter.hpp>
#include <sstream>
#include <string>
#include <tl/expected.hpp>

namespace hilserl_controllers {

using RuleResult = tl::expected<void, std::string>;

inline double number_of(const rclcpp::Parameter& parameter) {
  return parameter.get_type() == rclcpp::ParameterType::PARAMETER_INTEGER
             ? static_cast<double>(parameter.as_int())
             : parameter.as_double();
}

template <typename... Words>
RuleResult rule(bool holds, const rclcpp::Parameter& parameter, const Words&... words) {
  if (holds) return {};
  std::ostringstream text;
  text << "Parameter '" << parameter.get_name() << "' is " << number_of(parameter) << ": must be ";
  (text << ... << words);
  return tl::unexpected(text.str());
}

inline RuleResult within(const rclcpp::Parameter& parameter, double lower, double upper) {
  const double value = number_of(parameter);
  return rule(value >= lower && value <= upper, parameter, lower, " to ", upper);
}

inline RuleResult above(const rclcpp::Parameter& parameter, double bound) {
  const double value = number_of(parameter);
  return rule(std::isfinite(value) && value > bound, parameter, "finite and above ", bound);
}

inline RuleResult at_least(const rclcpp::Parameter& parameter, double bound) {
  const double value = number_of(parameter);
  return rule(std::isfinite(value) && value >= bound, parameter, "finite and at least ", bound);
}

}  // namespace hilserl_controllers
