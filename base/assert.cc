// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace synod::base {

void assert_failed(const char* file, int line, const char* condition, const char* reason) {
  std::fprintf(stderr, "ASSERT %s:%d: (%s) is false: %s\n", file, line, condition, reason);
  std::fflush(stderr);
  std::abort();
}

}  // namespace synod::base
