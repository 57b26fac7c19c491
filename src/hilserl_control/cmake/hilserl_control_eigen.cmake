# SPDX-License-Identifier: Apache-2.0
# Eigen3::Eigen from the system, or from the headers of the Python package cmeel-eigen. Also used by packages that find
# hilserl_control.
find_package(Eigen3 3.3 CONFIG QUIET)
if(NOT Eigen3_FOUND)
  find_package(Python3 COMPONENTS Interpreter QUIET)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c "import sysconfig; print(sysconfig.get_path('purelib'))"
    OUTPUT_VARIABLE _hilserl_purelib OUTPUT_STRIP_TRAILING_WHITESPACE)
  find_package(Eigen3 3.3 CONFIG QUIET PATHS "${_hilserl_purelib}/cmeel.prefix" NO_DEFAULT_PATH)
endif()
if(NOT Eigen3_FOUND)
  message(FATAL_ERROR "hilserl_control needs Eigen 3.3 or newer: apt install libeigen3-dev, or pip install cmeel-eigen")
endif()
