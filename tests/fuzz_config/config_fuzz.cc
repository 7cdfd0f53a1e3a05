// SPDX-License-Identifier: Apache-2.0
// Any bytes are a configuration or a clear refusal, and what loads must survive being printed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "server/config/config_load.h"
#include "server/config/key_registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synod::server;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = load_toml(text, "fuzz.toml");
  if (!loaded.ok()) {
    SYNOD_ASSERT(!loaded.status().message().empty(), "a refusal says why");
    return 0;
  }
  const auto again = load_toml(explain_config(*loaded), "printed.toml");
  SYNOD_ASSERT(again.ok(), "what was loaded and printed loads");
  for (const Key& key : all_keys()) {
    SYNOD_ASSERT(key.load(loaded->config, key) == key.load(again->config, key),
                 "printing keeps every value");
  }
  return 0;
}
