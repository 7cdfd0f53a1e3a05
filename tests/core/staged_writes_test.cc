// SPDX-License-Identifier: Apache-2.0
#include "core/staged_writes.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace synod::core {
namespace {

TEST(StagedWrites, AgreeWithAMapBelowAndBeyondTheIndex) {
  base::Random random(5);
  for (int round = 0; round < 400; ++round) {
    StagedWrites staged;
    struct Expected {
      bool is_delete;
      std::string value;
      std::int64_t expiry;
    };
    std::map<KeyRef, Expected> expected;
    std::vector<KeyRef> order;
    for (std::uint64_t i = random.below(60); i > 0; --i) {
      const base::BytesView key = staged.keep("k" + std::to_string(random.below(12)));
      const KeyRef ref{NamespaceId(1 + static_cast<std::uint32_t>(random.below(2))),
                       Space(static_cast<std::uint8_t>(random.below(2))), key};
      const auto known = expected.find(ref);
      const auto* found = staged.find(ref);
      ASSERT_EQ(found != nullptr, known != expected.end());
      if (found != nullptr) {
        ASSERT_EQ(found->is_delete, known->second.is_delete);
        ASSERT_EQ(found->value, known->second.value);
        ASSERT_EQ(found->expiry, TimeMs(known->second.expiry));
      } else {
        order.push_back(ref);
      }
      if (random.chance(0.3)) {
        staged.erase(ref);
        expected[ref] = {true, "", 0};
      } else {
        const std::string value = std::to_string(random.next());
        const std::int64_t expiry = random.between(0, 3);
        staged.put(ref, staged.keep(value), TimeMs(expiry));
        expected[ref] = {false, value, expiry};
      }
    }
    ASSERT_EQ(staged.all().size(), order.size());
    for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(staged.all()[i].key, order[i]);
  }
}

}  // namespace
}  // namespace synod::core
