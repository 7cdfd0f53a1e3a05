// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace synod::base {

/// Prints one line (file, line, condition, reason) to standard error and aborts.
[[noreturn]] void assert_failed(const char* file, int line, const char* condition,
                                const char* reason);

}  // namespace synod::base

/// A programmer error if false. Stays on in release builds; `reason` cites the invariant.
#define SYNOD_ASSERT(condition, reason) \
  (static_cast<bool>(condition)         \
       ? static_cast<void>(0)           \
       : ::synod::base::assert_failed(__FILE__, __LINE__, #condition, reason))
