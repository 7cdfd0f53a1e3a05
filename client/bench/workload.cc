// SPDX-License-Identifier: Apache-2.0
#include "client/bench/workload.h"

#include <cstring>

#include "base/assert.h"

namespace synod::client {
namespace {

constexpr base::BytesView kKeyPrefix = "bench:";
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

/// Words of a value depend on key, tag and place alone, so that none waits for the one before.
std::uint64_t filler(std::uint64_t key, std::uint64_t tag, std::uint64_t place) {
  std::uint64_t z = (key + 1) * kGolden ^ (tag + place * 0xd1342543de82ef95ULL);
  z = (z ^ (z >> 32)) * 0xbf58476d1ce4e5b9ULL;
  return z ^ (z >> 29);
}

std::uint64_t word_of(std::uint64_t key, std::uint64_t tag, std::uint64_t place) {
  return place == 0 ? key : place == 1 ? tag : filler(key, tag, place);
}

}  // namespace

void append_bench_key(base::Bytes& out, std::uint64_t number) {
  SYNOD_ASSERT(number <= kKeysMax, "a key number has twelve digits");
  char text[kKeyBytes];
  std::memcpy(text, kKeyPrefix.data(), kKeyPrefix.size());
  for (std::size_t i = kKeyBytes; i-- > kKeyPrefix.size(); number /= 10) {
    text[i] = static_cast<char>('0' + number % 10);
  }
  out.append(text, kKeyBytes);
}

base::Bytes bench_key(std::uint64_t number) {
  base::Bytes key;
  append_bench_key(key, number);
  return key;
}

std::uint32_t value_size_of(ValueSizes sizes, std::uint64_t key, std::uint64_t tag) {
  if (sizes.min == sizes.max) return sizes.min;
  return sizes.min + static_cast<std::uint32_t>(filler(key, tag, 1) % (sizes.max - sizes.min + 1));
}

void append_bench_value(base::Bytes& out, ValueSizes sizes, std::uint64_t key, std::uint64_t tag) {
  const std::size_t size = value_size_of(sizes, key, tag);
  SYNOD_ASSERT(size >= kValueBytesMin, "a value holds its key and its tag");
  const std::size_t begin = out.size();
  out.resize(begin + size);
  char* const bytes = out.data() + begin;
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) base::store_le64(bytes + at, word_of(key, tag, at / 8));
  char last[8];
  base::store_le64(last, word_of(key, tag, at / 8));
  std::memcpy(bytes + at, last, size - at);
}

bool is_bench_value(ValueSizes sizes, std::uint64_t key, base::BytesView value) {
  if (value.size() < kValueBytesMin || base::load_le64(value.data()) != key) return false;
  const std::uint64_t tag = base::load_le64(value.data() + 8);
  if (value.size() != value_size_of(sizes, key, tag)) return false;
  std::size_t at = 2 * sizeof(std::uint64_t);
  for (; at + 8 <= value.size(); at += 8) {
    if (base::load_le64(value.data() + at) != filler(key, tag, at / 8)) return false;
  }
  char last[8];
  base::store_le64(last, filler(key, tag, at / 8));
  return std::memcmp(value.data() + at, last, value.size() - at) == 0;
}

}  // namespace synod::client
