// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace synod::base {

/// Opaque bytes, owned and borrowed. Order is unsigned bytewise (char_traits<char>::compare is).
using Bytes = std::string;
using BytesView = std::string_view;

// Fixed-width integers at an unaligned address; the suffix names the byte order.
void store_le32(char* out, std::uint32_t value);
void store_le64(char* out, std::uint64_t value);
void store_be16(char* out, std::uint16_t value);
void store_be32(char* out, std::uint32_t value);
void store_be64(char* out, std::uint64_t value);
[[nodiscard]] std::uint32_t load_le32(const char* in);
[[nodiscard]] std::uint64_t load_le64(const char* in);
[[nodiscard]] std::uint16_t load_be16(const char* in);
[[nodiscard]] std::uint32_t load_be32(const char* in);
[[nodiscard]] std::uint64_t load_be64(const char* in);
void append_le32(Bytes& out, std::uint32_t value);
void append_le64(Bytes& out, std::uint64_t value);
void append_be32(Bytes& out, std::uint32_t value);
void append_be64(Bytes& out, std::uint64_t value);

/// Printable ASCII stays, everything else becomes \xNN; at most `bytes_max` input bytes are shown.
/// For logs and error texts, which must be valid UTF-8 whatever a key holds.
[[nodiscard]] Bytes escape(BytesView bytes, std::size_t bytes_max = 64);

/// The smallest string greater than every string with this prefix; empty if there is none.
[[nodiscard]] Bytes prefix_successor(BytesView prefix);

}  // namespace synod::base
