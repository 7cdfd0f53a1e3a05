// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>

namespace synod::core {

/// The length of a long test: SYNOD_TEST_OPS if set (soaks, sanitizers), else `otherwise`.
inline std::uint64_t test_operations(std::uint64_t otherwise) {
  const char* text = std::getenv("SYNOD_TEST_OPS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace synod::core
