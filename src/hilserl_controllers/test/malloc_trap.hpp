// SPDX-License-Identifier: Apache-2.0
// Include in exactly one file of a test program: counts the trips to the heap of one thread while armed.
#pragma once

#include <cstddef>
#include <cstdlib>  // what is defined below must be declared as glibc does

namespace hilserl_controllers::testing {
inline thread_local bool trap_armed = false;
inline thread_local long allocations = 0;
inline void count_allocation() noexcept {
  if (trap_armed) ++allocations;
}
}  // namespace hilserl_controllers::testing

// glibc's own entry points; the C++ operators end up here as well.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  return __libc_calloc(number, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  return __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  hilserl_controllers::testing::count_allocation();
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : 12;
}
}
