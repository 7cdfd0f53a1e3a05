// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/write_overlay.h"

#include <gtest/gtest.h>

namespace synod::client {
namespace {

using Value = std::optional<base::Bytes>;
using Key = WriteOverlay::Key;

Value seen(const WriteOverlay& overlay, const Key& key, const Value& stored) {
  const auto view = overlay.view(key, stored);
  EXPECT_TRUE(view.ok()) << view.status().to_string();
  return view.ok() ? *view : std::nullopt;
}

TEST(WriteOverlay, AnUntouchedKeyShowsWhatIsStored) {
  const WriteOverlay overlay;
  EXPECT_FALSE(overlay.decides({"", "k"}));
  EXPECT_EQ(seen(overlay, {"", "k"}, "v"), Value("v"));
  EXPECT_EQ(seen(overlay, {"", "k"}, std::nullopt), std::nullopt);
}

TEST(WriteOverlay, TheLastOfSetAndRemoveWins) {
  WriteOverlay overlay;
  overlay.set({"", "k"}, "1");
  overlay.remove({"", "k"});
  EXPECT_TRUE(overlay.decides({"", "k"}));
  EXPECT_EQ(seen(overlay, {"", "k"}, "stored"), std::nullopt);
  overlay.set({"", "k"}, "2");
  EXPECT_EQ(seen(overlay, {"", "k"}, "stored"), Value("2"));
}

TEST(WriteOverlay, ChangesApplyToWhatIsStoredInOrder) {
  WriteOverlay overlay;
  overlay.change({"", "n"}, WriteOverlay::Add{5});
  overlay.change({"", "n"}, WriteOverlay::Append{"0"});
  overlay.change({"", "n"}, WriteOverlay::Add{-1});
  EXPECT_FALSE(overlay.decides({"", "n"}));
  EXPECT_EQ(seen(overlay, {"", "n"}, "7"), Value("119"));
  EXPECT_EQ(seen(overlay, {"", "n"}, std::nullopt), Value("49"));
}

TEST(WriteOverlay, AnAdditionToWhatIsNoNumberIsAnError) {
  WriteOverlay overlay;
  overlay.change({"", "n"}, WriteOverlay::Add{1});
  for (const char* stored : {"", "x", "1x", " 1", "9223372036854775807"}) {
    EXPECT_EQ(overlay.view({"", "n"}, Value(stored)).status().code(),
              base::StatusCode::kInvalidArgument)
        << stored;
  }
}

TEST(WriteOverlay, ClearingHidesStoredAndWrittenKeysOfTheRangeOnly) {
  WriteOverlay overlay;
  overlay.set({"", "b"}, "new");
  overlay.set({"", "c"}, "new");
  overlay.clear("", "a", "c");
  EXPECT_EQ(seen(overlay, {"", "a"}, "stored"), std::nullopt);
  EXPECT_EQ(seen(overlay, {"", "b"}, "stored"), std::nullopt);
  EXPECT_EQ(seen(overlay, {"", "c"}, "stored"), Value("new"));
  EXPECT_EQ(seen(overlay, {"other", "b"}, "stored"), Value("stored"));
  overlay.set({"", "b"}, "again");
  EXPECT_EQ(seen(overlay, {"", "b"}, "stored"), Value("again"));
}

TEST(WriteOverlay, ChangesAfterAClearStartFromNothing) {
  WriteOverlay overlay;
  overlay.clear("", "a", "");
  overlay.change({"", "n"}, WriteOverlay::Add{3});
  EXPECT_TRUE(overlay.decides({"", "n"}));
  EXPECT_EQ(seen(overlay, {"", "n"}, "7"), Value("3"));
}

TEST(WriteOverlay, AStampedValueCannotBeReadBeforeTheCommit) {
  WriteOverlay overlay;
  overlay.remove({"", "k"});
  overlay.change({"", "k"}, WriteOverlay::Stamped{});
  EXPECT_EQ(overlay.view({"", "k"}, std::nullopt).status().code(), base::StatusCode::kUnsupported);
}

TEST(WriteOverlay, ListsWrittenKeysOfARangeInOrder) {
  WriteOverlay overlay;
  for (const char* key : {"d", "a", "c", "b"}) overlay.set({"", key}, "v");
  overlay.set({"other", "bb"}, "v");
  EXPECT_EQ(overlay.written_keys("", "b", "d"), (std::vector<base::Bytes>{"b", "c"}));
  EXPECT_EQ(overlay.written_keys("", "c", ""), (std::vector<base::Bytes>{"c", "d"}));
}

}  // namespace
}  // namespace synod::client
