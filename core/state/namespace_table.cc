// SPDX-License-Identifier: Apache-2.0
#include "core/state/namespace_table.h"

#include <algorithm>
#include <tuple>

#include "base/assert.h"
#include "base/codec.h"

namespace synod::core {
namespace {

base::Bytes name_row_key(std::string_view name) {
  base::Bytes key(1, kNamespaceRow);
  key += name;
  return key;
}

base::Bytes entry_value(const NamespaceTable::Entry& entry) {
  base::Bytes value;
  base::Encoder encoder(value);
  encoder(entry.id.value(), entry.created.value(), entry.cleared.value());
  return value;
}

base::Bytes swept_row_key(NamespaceId id) {
  base::Bytes key(1, kSweptNamespaceRow);
  base::append_be32(key, id.value());
  return key;
}

}  // namespace

std::optional<NamespaceId> NamespaceView::find(std::string_view name, Version at) const {
  const auto found = names_.find(canonical_namespace(name));
  if (found == names_.end()) return std::nullopt;
  const auto& history = found->second;
  for (auto since = history.rbegin(); since != history.rend(); ++since) {
    if (since->version <= at) return since->id;
  }
  return std::nullopt;
}

NamespaceTable::NamespaceTable(RowSink& rows, const StateHasher* const* hasher)
    : rows_(rows), hasher_(hasher) {
  const Entry unnamed{NamespaceId(1), Version(0), Version(0)};  // N2
  entries_.emplace("", unnamed);
  history_.names_[""].push_back({Version(0), unnamed.id});
}

const NamespaceTable::Entry* NamespaceTable::find(std::string_view name) const {
  const auto found = entries_.find(canonical_namespace(name));
  return found == entries_.end() ? nullptr : &found->second;
}

void NamespaceTable::put_entry(std::string_view name, const Entry& entry, const Entry* replaced) {
  base::Bytes key = name_row_key(name);
  base::Bytes value = entry_value(entry);
  if (replaced != nullptr) hash_.subtract((*hasher_)->row(key, entry_value(*replaced)));
  hash_.add((*hasher_)->row(key, value));
  rows_.put_row(key, value);
}

void NamespaceTable::queue_sweep(const Swept& swept) {
  const auto later = [](const Swept& a, const Swept& b) {
    return std::tie(a.cleared, a.id) < std::tie(b.cleared, b.id);
  };
  swept_.insert(std::upper_bound(swept_.begin(), swept_.end(), swept, later), swept);
}

NamespaceId NamespaceTable::create(std::string_view name, Version version) {
  SYNOD_ASSERT(find(name) == nullptr, "N1: a name is created once");
  const Entry entry{next_id_, version, Version(0)};
  next_id_ = next_id_.next();
  put_entry(name, entry, nullptr);
  entries_.emplace(std::string(name), entry);
  history_.names_[std::string(name)].push_back({version, entry.id});
  view_changed_ = true;
  return entry.id;
}

void NamespaceTable::clear(std::string_view name, Version version) {
  const auto found = entries_.find(canonical_namespace(name));
  SYNOD_ASSERT(found != entries_.end(), "only an existing namespace is cleared");
  const Entry old = found->second;
  const Swept swept{old.id, version};
  base::Bytes row_key = swept_row_key(swept.id);
  base::Bytes row_value = number_row_value(version.value());
  hash_.add((*hasher_)->row(row_key, row_value));
  rows_.put_row(row_key, row_value);
  queue_sweep(swept);
  Entry& entry = found->second;
  entry.id = next_id_;
  entry.cleared = version;
  next_id_ = next_id_.next();
  // The unnamed namespace has no row until its first clear: N2 makes it implicit.
  const bool has_row = !found->first.empty() || old.cleared != Version(0);
  put_entry(found->first, entry, has_row ? &old : nullptr);
  history_.names_[found->first].push_back({version, entry.id});
  view_changed_ = true;
}

void NamespaceTable::finish_sweep() {
  SYNOD_ASSERT(!swept_.empty(), "a sweep that was under way");
  const Swept done = swept_.front();
  swept_.erase(swept_.begin());
  base::Bytes row_key = swept_row_key(done.id);
  hash_.subtract((*hasher_)->row(row_key, number_row_value(done.cleared.value())));
  rows_.erase_row(row_key);
}

std::unique_ptr<const NamespaceView> NamespaceTable::make_view(Version floor) {
  for (auto& [name, history] : history_.names_) {
    while (history.size() > 1 && history[1].version <= floor) history.erase(history.begin());
  }
  view_changed_ = false;
  return std::make_unique<const NamespaceView>(history_);
}

base::Status NamespaceTable::load_row(base::BytesView key, base::BytesView value) {
  hash_.add((*hasher_)->row(key, value));
  if (key[0] == kSweptNamespaceRow) {
    const auto cleared = parse_number_row_value(value);
    if (!cleared.ok()) return cleared.status();
    if (key.size() != 5) {
      return base::Status(base::StatusCode::kCorruption, "a sweep row is malformed");
    }
    queue_sweep({NamespaceId(base::load_be32(key.data() + 1)), Version(*cleared)});
    return {};
  }
  try {
    base::Decoder decoder(value);
    std::uint32_t id = 0;
    std::int64_t created = 0;
    std::int64_t cleared = 0;
    decoder(id, created, cleared);
    const std::string name(key.substr(1));
    entries_[name] = Entry{NamespaceId(id), Version(created), Version(cleared)};
    // After a restart nobody reads below the newest version, so one step of history is enough.
    history_.names_[name] = {{Version(0), NamespaceId(id)}};
    view_changed_ = true;
    return {};
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

}  // namespace synod::core
