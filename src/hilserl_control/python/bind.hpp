// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

namespace hilserl_control::python {

void bind_config(pybind11::module_& module);
void bind_law(pybind11::module_& module);

}  // namespace hilserl_control::python
