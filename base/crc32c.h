// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace synod::base {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, continuing from `crc`: the checksum of
/// "ab" equals crc32c("b", crc32c("a")). SSE4.2 where the processor has it.
[[nodiscard]] std::uint32_t crc32c(BytesView bytes, std::uint32_t crc = 0);

/// The table-driven twin, for tests of equality with the instruction.
[[nodiscard]] std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t crc = 0);

}  // namespace synod::base
