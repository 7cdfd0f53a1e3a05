// SPDX-License-Identifier: Apache-2.0
#include "server/config/key_registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace synod::server {
namespace {

TEST(KeyRegistry, EveryKeyIsNamedOnceInAKnownTableAndExplained) {
  std::set<std::string> seen;
  std::set<std::string_view> tables;
  for (const KeyTable& table : all_tables()) tables.insert(table.name);
  for (const Key& key : all_keys()) {
    EXPECT_TRUE(seen.insert(key.path()).second) << key.path();
    EXPECT_TRUE(tables.contains(key.table)) << key.path();
    EXPECT_TRUE(key.doc.ends_with('.')) << key.path();
    EXPECT_EQ(find_key(key.path()), &key);
  }
  EXPECT_EQ(find_key("server"), nullptr);
  EXPECT_EQ(find_key("server.none"), nullptr);
}

TEST(KeyRegistry, EveryDefaultPassesItsOwnCheck) {
  const Config defaults;
  for (const Key& key : all_keys()) {
    EXPECT_TRUE(check_value(key, key.load(defaults, key)).ok()) << key.path();
  }
}

TEST(KeyRegistry, RangeEndsAndChoicesFitTheirFields) {
  for (const Key& key : all_keys()) {
    Config config;
    std::vector<KeyValue> values;
    if (key.kind == KeyKind::kInteger || key.kind == KeyKind::kBytes) values = {key.min, key.max};
    for (const auto choice : key.choices) values.emplace_back(std::string(choice));
    for (const KeyValue& value : values) {
      ASSERT_TRUE(check_value(key, value).ok()) << key.path();
      key.store(config, key, value);
      EXPECT_EQ(key.load(config, key), value) << key.path();
    }
  }
}

TEST(KeyRegistry, EveryFormattedValueParsesBack) {
  const Config defaults;
  for (const Key& key : all_keys()) {
    const KeyValue value = key.load(defaults, key);
    std::string text = format_value(key, value);
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
    const auto parsed = parse_value(key, text);
    ASSERT_TRUE(parsed.ok()) << key.path() << " " << parsed.status().to_string();
    EXPECT_EQ(*parsed, value) << key.path();
  }
}

TEST(KeyRegistry, ValuesOfAnotherKindAreRefused) {
  for (const Key& key : all_keys()) {
    const bool number = key.kind == KeyKind::kInteger || key.kind == KeyKind::kBytes;
    EXPECT_EQ(check_value(key, KeyValue(true)).ok(), key.kind == KeyKind::kBool) << key.path();
    if (!number) {
      EXPECT_FALSE(check_value(key, KeyValue(std::uint64_t{1})).ok()) << key.path();
    }
    if (key.kind != KeyKind::kText && key.kind != KeyKind::kList) {
      EXPECT_FALSE(check_value(key, KeyValue(std::string("?"))).ok()) << key.path();
      EXPECT_FALSE(parse_value(key, "").ok()) << key.path();
    }
  }
}

TEST(NearestHint, FindsTyposAndNothingElse) {
  const std::vector<std::string> names = {"server.port", "server.bind", "log.level"};
  EXPECT_EQ(nearest_hint("server.prot", names), " (did you mean server.port?)");
  EXPECT_EQ(nearest_hint("log.levl", names), " (did you mean log.level?)");
  EXPECT_EQ(nearest_hint("something.else", names), "");
  EXPECT_EQ(nearest_hint("", names), "");
  EXPECT_EQ(nearest_hint(std::string(1'000'000, 'x'), names), "");
}

TEST(QuoteToml, EscapesWhatEndsAString) {
  EXPECT_EQ(quote_toml("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000A\"");
}

}  // namespace
}  // namespace synod::server
