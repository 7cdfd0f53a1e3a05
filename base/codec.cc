// SPDX-License-Identifier: Apache-2.0
#include "base/codec.h"

namespace synod::base {

std::size_t store_varint(char* at, std::uint64_t value) {
  std::size_t size = 0;
  while (value >= 0x80) {
    at[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  at[size++] = static_cast<char>(value);
  return size;
}

void Encoder::put_varint(std::uint64_t value) {
  char buffer[kVarintBytesMax];
  put_bytes(buffer, store_varint(buffer, value));
}

BytesView Decoder::take(std::uint64_t size) {
  if (size > in_.size()) fail("a length exceeds the bytes that are left");
  const BytesView taken = in_.substr(0, size);
  in_.remove_prefix(size);
  return taken;
}

std::uint64_t Decoder::take_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    if (shift == 63 && byte > 1) fail("a varint exceeds 64 bits");
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail("a varint exceeds ten bytes");
}

std::uint64_t Decoder::take_count() {
  const std::uint64_t count = take_varint();
  if (count > in_.size()) fail("a count exceeds the bytes that are left");
  return count;
}

}  // namespace synod::base
