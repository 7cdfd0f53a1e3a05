// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace synod::base {

/// What concat hands on: Debian's abseil has a string_view of its own and does not take ours.
template <class Part>
[[nodiscard]] const Part& concat_part(const Part& part) {
  return part;
}
[[nodiscard]] inline absl::string_view concat_part(const std::string_view& part) {
  return {part.data(), part.size()};
}

/// Joins strings and numbers: concat("slot ", 7, " of ", name).
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  return absl::StrCat(concat_part(parts)...);
}

/// Bytes as "512 B", "64 KiB", "1.5 GiB": one decimal where it says something.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// Parses "512", "64KiB", "20 MiB", "1GiB" (also kb/mb/gb as powers of 1024); false if it is none.
[[nodiscard]] bool parse_bytes(std::string_view text, std::uint64_t& bytes);

}  // namespace synod::base
