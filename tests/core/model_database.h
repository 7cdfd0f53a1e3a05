// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kv_database.h"

namespace synod::core {

/// The brute-force twin of TransactionalKvDatabase: a std::map of full histories, every question
/// answered by looking at everything. It never sweeps and never forgets, so equal verdicts show
/// that sweeping and forgetting change none.
class ModelDatabase : public KvDatabase {
 public:
  struct Key {
    NamespaceId ns;
    Space space;
    base::Bytes key;
    auto operator<=>(const Key&) const = default;
  };
  struct Event {
    Version version;
    bool present;
    base::Bytes value;
    TimeMs expiry;
  };

  [[nodiscard]] Version visible_version() const override { return visible_; }

  [[nodiscard]] PointRead read(std::string_view ns, Space space, base::BytesView key,
                               Version at) const override {
    PointRead result;
    const auto id = id_at(ns, at);
    if (!id) {
      result.kind = ReadKind::kUnknownNamespace;
      return result;
    }
    if (const Event* event = event_at(Key{*id, space, base::Bytes(key)}, at)) {
      result.kind = ReadKind::kFound;
      result.value = event->value;
      result.version = event->version;
      result.expiry = event->expiry;
    }
    return result;
  }

  [[nodiscard]] ReadKind scan(
      const ScanBounds& bounds, Version at,
      base::Function<bool(base::BytesView, base::BytesView)> row) const override {
    const auto id = id_at(bounds.ns, at);
    if (!id) return ReadKind::kUnknownNamespace;
    std::uint64_t passed = 0;
    for (auto it = from(*id, bounds.space, bounds.begin); it != keys_.end(); ++it) {
      const auto& [key, events] = *it;
      if (key.ns != *id || key.space != bounds.space) break;
      if (key.key == bounds.begin && !bounds.begin_inclusive) continue;
      if (bounds.end) {
        const int to = base::BytesView(key.key).compare(*bounds.end);
        if (to > 0 || (to == 0 && !bounds.end_inclusive)) break;
      }
      const Event* event = event_at(key, at);
      if (event == nullptr || ++passed <= bounds.skip) continue;
      const bool is_bare = bounds.limit > 0 && passed > bounds.skip + bounds.limit;
      if (!row(key.key, is_bare ? base::BytesView() : base::BytesView(event->value))) break;
    }
    return ReadKind::kFound;
  }

  [[nodiscard]] ReplicatedState& state() override { return state_; }

  [[nodiscard]] LatestEntry latest(const KeyRef& ref) const override {
    const auto found = keys_.find(Key{ref.ns, ref.space, base::Bytes(ref.key)});
    if (found == keys_.end()) return {};
    const Event& event = found->second.back();
    LatestEntry entry;
    entry.version = event.version;
    entry.present = event.present;
    entry.expiry = event.expiry;
    entry.value_size = static_cast<std::uint32_t>(event.value.size());
    return entry;
  }
  [[nodiscard]] base::BytesView latest_value(const KeyRef& ref) override {
    return keys_.find(Key{ref.ns, ref.space, base::Bytes(ref.key)})->second.back().value;
  }

  [[nodiscard]] bool range_changed(NamespaceId ns, Space space, base::BytesView begin,
                                   base::BytesView end, Version after, TimeMs after_clock,
                                   TimeMs now) const override {
    for (auto it = from(ns, space, begin); it != keys_.end(); ++it) {
      const auto& [key, events] = *it;
      if (!inside(key, ns, space, begin, end)) break;
      const Event& newest = events.back();
      if (newest.version > after) return true;
      if (newest.present && newest.expiry != TimeMs(0) && newest.expiry > after_clock &&
          newest.expiry <= now) {
        return true;
      }
    }
    return false;
  }

  void visit_present(NamespaceId ns, Space space, base::BytesView begin, base::BytesView end,
                     TimeMs now, base::Function<bool(base::BytesView)> visit) const override {
    for (auto it = from(ns, space, begin); it != keys_.end(); ++it) {
      const auto& [key, events] = *it;
      if (!inside(key, ns, space, begin, end)) break;
      const Event& newest = events.back();
      const bool expired = newest.expiry != TimeMs(0) && newest.expiry <= now;
      if (newest.present && !expired && !visit(key.key)) return;
    }
  }

  void put(const KeyRef& ref, base::BytesView value, TimeMs expiry, Version version) override {
    keys_[Key{ref.ns, ref.space, base::Bytes(ref.key)}].push_back(
        {version, true, base::Bytes(value), expiry});
  }
  void erase(const KeyRef& ref, Version version) override {
    keys_[Key{ref.ns, ref.space, base::Bytes(ref.key)}].push_back({version, false, {}, TimeMs(0)});
  }
  std::size_t sweep_expired(TimeMs /*clock*/, std::size_t /*keys_max*/) override { return 0; }
  std::size_t sweep_namespace(NamespaceId /*ns*/, Version /*version*/,
                              std::size_t /*keys_max*/) override {
    return 0;
  }
  std::size_t drop_tombstones(Version /*floor*/, std::size_t /*keys_max*/) override { return 0; }
  [[nodiscard]] std::uint64_t tombstone_bytes() const override { return 0; }
  [[nodiscard]] std::optional<Version> oldest_tombstone() const override { return std::nullopt; }
  [[nodiscard]] std::optional<TimeMs> next_expiry() const override { return std::nullopt; }

  void finish(LogIndex /*index*/) override {
    visible_ = state_.newest_version();
    clocks_[visible_] = state_.clock();
    if (state_.namespaces().view_changed()) {
      for (const auto& [name, entry] : state_.namespaces().entries()) {
        names_[name][visible_] = entry.id;
      }
      (void)state_.namespaces().make_view(Version(0));
    }
  }

 private:
  class NoRows final : public RowSink {
   public:
    void put_row(base::BytesView /*key*/, base::BytesView /*value*/) override {}
    void erase_row(base::BytesView /*key*/) override {}
  };

  static bool inside(const Key& key, NamespaceId ns, Space space, base::BytesView begin,
                     base::BytesView end) {
    return key.ns == ns && key.space == space && key.key >= begin && (end.empty() || key.key < end);
  }
  [[nodiscard]] std::map<Key, std::vector<Event>>::const_iterator from(
      NamespaceId ns, Space space, base::BytesView begin) const {
    return keys_.lower_bound(Key{ns, space, base::Bytes(begin)});
  }
  [[nodiscard]] std::optional<NamespaceId> id_at(std::string_view ns, Version at) const {
    const auto name = names_.find(canonical_namespace(ns));
    if (name == names_.end()) return std::nullopt;
    auto since = name->second.upper_bound(at);
    if (since == name->second.begin()) return std::nullopt;
    return std::prev(since)->second;
  }
  [[nodiscard]] const Event* event_at(const Key& key, Version at) const {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return nullptr;
    for (auto event = found->second.rbegin(); event != found->second.rend(); ++event) {
      if (event->version > at) continue;
      if (!event->present) return nullptr;
      if (event->expiry != TimeMs(0) && event->expiry <= clock_at(at)) return nullptr;
      return &*event;
    }
    return nullptr;
  }
  [[nodiscard]] TimeMs clock_at(Version at) const {
    const auto after = clocks_.upper_bound(at);
    return after == clocks_.begin() ? TimeMs(0) : std::prev(after)->second;
  }

  NoRows rows_;
  ReplicatedState state_{rows_};
  Version visible_{0};
  std::map<Key, std::vector<Event>> keys_;
  std::map<Version, TimeMs> clocks_{{Version(0), TimeMs(0)}};
  std::map<std::string, std::map<Version, NamespaceId>, std::less<>> names_{
      {"", {{Version(0), NamespaceId(1)}}}};
};

}  // namespace synod::core
