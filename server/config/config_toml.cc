// SPDX-License-Identifier: Apache-2.0
// The only file that knows the TOML library: from its headers alone, because the compiled one that
// Debian ships throws.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <set>
#include <sstream>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "server/config/config_builder.h"
#include "server/config/key_registry.h"
#include "server/config/legacy_keys.h"

namespace synod::server {

using base::concat;
using base::Status;
using base::StatusCode;

namespace {

std::string type_name(const toml::node& node) {
  std::ostringstream out;
  out << node.type();
  return out.str();
}

base::Result<KeyValue> scalar_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return KeyValue(flag->get());
  if (const auto* text = node.as_string()) return KeyValue(text->get());
  const auto* number = node.as_integer();
  if (number == nullptr) {
    return Status(StatusCode::kInvalidArgument, concat("got a value of type ", type_name(node)));
  }
  if (number->get() < 0) {
    return Status(StatusCode::kInvalidArgument, concat("got ", number->get()));
  }
  return KeyValue(static_cast<std::uint64_t>(number->get()));
}

/// One pass over a parsed file.
class Reader {
 public:
  Reader(ConfigBuilder& builder, const std::string& name) : builder_(builder), name_(name) {}

  void read_legacy(const toml::table& root) {
    for_each_entry(root, [this](const std::string& path, const toml::node& node) {
      const LegacyKey* row = find_key(path) == nullptr ? find_legacy_key(path) : nullptr;
      if (row != nullptr) apply_legacy(*row, path, node);
    });
    if (ignored_.empty()) return;
    builder_.note(base::LogLevel::kInfo,
                  concat(name_, ": ", ignored_.size(), " keys of older servers, such as ",
                         *ignored_.begin(), ", are accepted and have no effect"));
  }

  void read_own(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const std::string table(key.str());
      if (node.is_table() ? !tables().contains(table) : true) report_unknown_table(table, node);
    }
    for_each_entry(root, [this](const std::string& path, const toml::node& node) {
      if (const Key* key = find_key(path)) {
        apply(*key, node);
      } else if (find_legacy_key(path) == nullptr) {
        builder_.error(where(node), concat("unknown key ", base::escape(path), hint(path)));
      }
    });
  }

 private:
  template <class Visit>
  void for_each_entry(const toml::table& root, const Visit& visit) {
    for (const auto& [table_key, table_node] : root) {
      const auto* table = table_node.as_table();
      if (table == nullptr || !tables().contains(std::string(table_key.str()))) continue;
      for (const auto& [key, node] : *table) {
        visit(concat(table_key.str(), ".", key.str()), node);
      }
    }
  }

  void apply(const Key& key, const toml::node& node) {
    const auto value = scalar_of(node);
    if (!value.ok()) {
      builder_.error(where(node), concat(key.path(), ": expected ", describe_kind(key), ", ",
                                         value.status().message()));
    } else if (key.kind == KeyKind::kBytes && node.is_string()) {
      builder_.set_text({key.path(), std::get<std::string>(*value), where(node)});
    } else {
      builder_.set(key, *value, where(node));
    }
  }

  void apply_legacy(const LegacyKey& row, const std::string& path, const toml::node& node) {
    const auto scalar = scalar_of(node);
    const KeyValue value = scalar.ok() ? *scalar : KeyValue(std::string());
    const Status usable = check_legacy(row, value);
    if (!usable.ok()) {
      builder_.error(where(node), concat(path, ": ", usable.message()));
    } else if (row.use == LegacyUse::kNoEffect) {
      ignored_.insert(path);
    } else if (!row.target.empty()) {
      const auto translated = translate_legacy(row, value);
      if (translated.ok()) {
        builder_.set(*find_key(row.target), *translated, concat(where(node), " ", path));
      } else {
        builder_.error(where(node), concat(path, ": ", translated.status().message()));
      }
    }
  }

  void report_unknown_table(const std::string& table, const toml::node& node) {
    if (tables().contains(table)) {
      builder_.error(where(node), concat("[", table, "] must be a table"));
      return;
    }
    const std::vector<std::string> names(tables().begin(), tables().end());
    builder_.error(where(node), concat(node.is_table() ? "unknown table [" : "unknown key [",
                                       base::escape(table), "]", nearest_hint(table, names)));
  }

  static const std::set<std::string>& tables() {
    static const std::set<std::string> names = [] {
      std::set<std::string> all;
      for (const KeyTable& table : all_tables()) all.emplace(table.name);
      for (const LegacyKey& row : all_legacy_keys()) all.emplace(row.table);
      return all;
    }();
    return names;
  }

  static std::string hint(const std::string& path) {
    std::vector<std::string> candidates = key_paths();
    for (const LegacyKey& row : all_legacy_keys()) {
      candidates.push_back(concat(row.table, ".", row.name));
    }
    return nearest_hint(path, candidates);
  }

  std::string where(const toml::node& node) const {
    return concat(name_, ":", node.source().begin.line);
  }

  ConfigBuilder& builder_;
  const std::string& name_;
  std::set<std::string> ignored_;
};

}  // namespace

void apply_toml(ConfigBuilder& builder, std::string_view text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    builder.error(concat(name, ":", parsed.error().source().begin.line),
                  base::escape(parsed.error().description(), 256));
    return;
  }
  Reader reader(builder, name);
  reader.read_legacy(parsed.table());
  reader.read_own(parsed.table());
}

}  // namespace synod::server
