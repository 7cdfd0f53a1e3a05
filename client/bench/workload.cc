// SPDX-License-Identifier: Apache-2.0
#include "client/bench/workload.h"

#include <cstdio>

#include "base/assert.h"

namespace synod::client {

base::Bytes bench_key(std::uint64_t number) {
  char text[32];
  const int size =
      std::snprintf(text, sizeof(text), "bench:%012llu", static_cast<unsigned long long>(number));
  return {text, static_cast<std::size_t>(size)};
}

base::Bytes bench_value(std::uint64_t key, std::uint64_t tag, std::uint32_t size) {
  SYNOD_ASSERT(size >= kValueBytesMin, "a value holds its key and its tag");
  base::Bytes value;
  value.reserve(size + sizeof(std::uint64_t));
  base::append_le64(value, key);
  base::append_le64(value, tag);
  base::Random filler(key * 0x9e3779b97f4a7c15ULL + tag);
  while (value.size() < size) base::append_le64(value, filler.next());
  value.resize(size);
  return value;
}

bool is_bench_value(std::uint64_t key, base::BytesView value, std::uint32_t size) {
  if (value.size() != size || size < kValueBytesMin) return false;
  return value == bench_value(key, base::load_le64(value.data() + 8), size);
}

}  // namespace synod::client
