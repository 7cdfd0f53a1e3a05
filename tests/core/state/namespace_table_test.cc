// SPDX-License-Identifier: Apache-2.0
#include "core/state/namespace_table.h"

#include <gtest/gtest.h>

#include "tests/core/recorded_rows.h"

namespace synod::core {
namespace {

class Namespaces : public testing::Test {
 protected:
  /// What a restart makes of the rows.
  void load(NamespaceTable& loaded) {
    for (const auto& [key, value] : rows_.rows()) ASSERT_TRUE(loaded.load_row(key, value).ok());
    loaded.restore_next_id(table_.next_id());
  }

  RecordedRows rows_;
  StateHasher hasher_{std::array<char, 16>{'h'}};
  const StateHasher* hasher_view_ = &hasher_;
  NamespaceTable table_{rows_, &hasher_view_};
};

TEST_F(Namespaces, TheUnnamedOneAlwaysExists) {
  ASSERT_NE(table_.find(""), nullptr);
  EXPECT_EQ(table_.find(""), table_.find("default"));
  EXPECT_EQ(table_.find("")->id, NamespaceId(1));
  EXPECT_EQ(table_.find("a"), nullptr);
  const auto view = table_.make_view(Version(0));
  EXPECT_EQ(view->find("default", Version(0)), NamespaceId(1));
  EXPECT_EQ(view->find("a", Version(9)), std::nullopt);
}

TEST_F(Namespaces, IdsAreGivenOnce) {
  EXPECT_EQ(table_.create("a", Version(1)), NamespaceId(2));
  EXPECT_EQ(table_.create("b", Version(2)), NamespaceId(3));
  table_.clear("a", Version(3));
  EXPECT_EQ(table_.find("a")->id, NamespaceId(4));
  EXPECT_EQ(table_.find("a")->cleared, Version(3));
  EXPECT_EQ(table_.next_id(), NamespaceId(5));
}

TEST_F(Namespaces, ViewsShowEachVersionItsOwnId) {
  table_.create("a", Version(5));
  table_.clear("a", Version(8));
  EXPECT_TRUE(table_.view_changed());
  const auto view = table_.make_view(Version(0));
  EXPECT_FALSE(table_.view_changed());
  EXPECT_EQ(view->find("a", Version(4)), std::nullopt);
  EXPECT_EQ(view->find("a", Version(5)), NamespaceId(2));
  EXPECT_EQ(view->find("a", Version(7)), NamespaceId(2));
  EXPECT_EQ(view->find("a", Version(8)), NamespaceId(3));
  table_.clear("", Version(9));
  EXPECT_EQ(view->find("", Version(9)), NamespaceId(1)) << "a view never changes";
  const auto pruned = table_.make_view(Version(8));
  EXPECT_EQ(pruned->find("", Version(9)), NamespaceId(4));
  EXPECT_EQ(pruned->find("", Version(8)), NamespaceId(1));
  EXPECT_EQ(pruned->find("a", Version(8)), NamespaceId(3));
  EXPECT_EQ(pruned->find("a", Version(7)), std::nullopt) << "history below the floor goes";
}

TEST_F(Namespaces, AreSweptInTheOrderOfTheirClears) {
  table_.create("a", Version(1));
  table_.create("b", Version(1));
  EXPECT_EQ(table_.sweeping(), nullptr);
  table_.clear("b", Version(2));
  table_.clear("a", Version(3));
  ASSERT_NE(table_.sweeping(), nullptr);
  EXPECT_EQ(table_.sweeping()->id, NamespaceId(3));
  table_.finish_sweep();
  EXPECT_EQ(table_.sweeping()->id, NamespaceId(2));
  EXPECT_EQ(table_.sweeping()->cleared, Version(3));
  table_.finish_sweep();
  EXPECT_EQ(table_.sweeping(), nullptr);
}

TEST_F(Namespaces, AreSweptInTheSameOrderAfterARestart) {
  for (const char* name : {"a", "b", "c", "d"}) table_.create(name, Version(1));
  table_.clear("c", Version(2));
  table_.clear("b", Version(3));
  table_.clear("d", Version(4));  // One commit may clear several.
  table_.clear("a", Version(4));
  NamespaceTable loaded(rows_, &hasher_view_);
  load(loaded);
  while (table_.sweeping() != nullptr) {
    ASSERT_NE(loaded.sweeping(), nullptr);
    EXPECT_EQ(loaded.sweeping()->id, table_.sweeping()->id);
    EXPECT_EQ(loaded.sweeping()->cleared, table_.sweeping()->cleared);
    table_.finish_sweep();
    loaded.finish_sweep();
  }
  EXPECT_EQ(loaded.sweeping(), nullptr);
  EXPECT_EQ(loaded.hash(), table_.hash());
}

TEST_F(Namespaces, HashToTheSameFromTheirRows) {
  table_.create("a", Version(1));
  table_.clear("", Version(2));
  table_.clear("", Version(3));
  table_.clear("a", Version(4));
  table_.finish_sweep();
  NamespaceTable loaded(rows_, &hasher_view_);
  load(loaded);
  EXPECT_EQ(loaded.hash(), table_.hash());
  EXPECT_EQ(loaded.find("")->id, table_.find("")->id);
  EXPECT_EQ(loaded.find("a")->cleared, Version(4));
  EXPECT_EQ(loaded.make_view(Version(0))->find("a", Version(4)), table_.find("a")->id);
}

TEST_F(Namespaces, RefuseDamagedRows) {
  table_.create("a", Version(1));
  table_.clear("a", Version(2));
  for (const auto& [key, value] : rows_.rows()) {
    for (std::size_t size = 0; size < value.size(); ++size) {
      NamespaceTable loaded(rows_, &hasher_view_);
      EXPECT_EQ(loaded.load_row(key, base::BytesView(value).substr(0, size)).code(),
                base::StatusCode::kCorruption);
    }
    if (key[0] != kSweptNamespaceRow) continue;
    NamespaceTable loaded(rows_, &hasher_view_);
    EXPECT_EQ(loaded.load_row(key + "x", value).code(), base::StatusCode::kCorruption);
    EXPECT_EQ(loaded.load_row("o", value).code(), base::StatusCode::kCorruption);
  }
}

}  // namespace
}  // namespace synod::core
