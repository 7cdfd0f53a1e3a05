// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace synod::base {
namespace {

template <class Int>
Int byte_swap(Int value) {
  auto bytes = std::bit_cast<std::array<unsigned char, sizeof(Int)>>(value);
  std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Int>(bytes);
}

template <std::endian kOrder, class Int>
void store(char* out, Int value) {
  if constexpr (std::endian::native != kOrder) value = byte_swap(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::endian kOrder, class Int>
Int load(const char* in) {
  Int value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native != kOrder) value = byte_swap(value);
  return value;
}

template <std::endian kOrder, class Int>
void append(Bytes& out, Int value) {
  char buffer[sizeof value];
  store<kOrder>(buffer, value);
  out.append(buffer, sizeof value);
}

}  // namespace

void store_le32(char* out, std::uint32_t value) { store<std::endian::little>(out, value); }
void store_le64(char* out, std::uint64_t value) { store<std::endian::little>(out, value); }
void store_be16(char* out, std::uint16_t value) { store<std::endian::big>(out, value); }
void store_be32(char* out, std::uint32_t value) { store<std::endian::big>(out, value); }
void store_be64(char* out, std::uint64_t value) { store<std::endian::big>(out, value); }
std::uint32_t load_le32(const char* in) { return load<std::endian::little, std::uint32_t>(in); }
std::uint64_t load_le64(const char* in) { return load<std::endian::little, std::uint64_t>(in); }
std::uint16_t load_be16(const char* in) { return load<std::endian::big, std::uint16_t>(in); }
std::uint32_t load_be32(const char* in) { return load<std::endian::big, std::uint32_t>(in); }
std::uint64_t load_be64(const char* in) { return load<std::endian::big, std::uint64_t>(in); }
void append_le32(Bytes& out, std::uint32_t value) { append<std::endian::little>(out, value); }
void append_le64(Bytes& out, std::uint64_t value) { append<std::endian::little>(out, value); }
void append_be32(Bytes& out, std::uint32_t value) { append<std::endian::big>(out, value); }
void append_be64(Bytes& out, std::uint64_t value) { append<std::endian::big>(out, value); }

Bytes escape(BytesView bytes, std::size_t bytes_max) {
  static constexpr char kHex[] = "0123456789abcdef";
  Bytes out;
  for (const char c : bytes.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (bytes.size() > bytes_max) out += "...";
  return out;
}

Bytes prefix_successor(BytesView prefix) {
  Bytes out(prefix);
  while (!out.empty() && static_cast<unsigned char>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<unsigned char>(out.back()) + 1);
  return out;
}

}  // namespace synod::base
