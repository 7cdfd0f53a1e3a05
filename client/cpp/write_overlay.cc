// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/write_overlay.h"

#include <charconv>

#include "base/text.h"

namespace synod::client {
namespace {

base::Status add_to(std::optional<base::Bytes>& value, std::int64_t delta) {
  std::int64_t number = 0;
  if (value.has_value()) {
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc() || stop != end) {
      return {base::StatusCode::kInvalidArgument,
              base::concat("\"", base::escape(*value), "\" is no number to add to")};
    }
  }
  if (__builtin_add_overflow(number, delta, &number)) {
    return {base::StatusCode::kInvalidArgument, "the sum does not fit into 64 bits"};
  }
  value = std::to_string(number);
  return {};
}

}  // namespace

bool WriteOverlay::cleared(const Key& key) const {
  const auto ranges = cleared_.find(key.first);
  if (ranges == cleared_.end()) return false;
  for (const Cleared& range : ranges->second) {
    if (in_range(key.second, range.begin, range.end)) return true;
  }
  return false;
}

WriteOverlay::Entry& WriteOverlay::entry(Key key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  Entry fresh;
  fresh.absolute = cleared(key);
  return entries_.emplace(std::move(key), std::move(fresh)).first->second;
}

void WriteOverlay::set(Key key, base::Bytes value) {
  Entry& target = entry(std::move(key));
  target = Entry{true, std::move(value), {}};
}

void WriteOverlay::remove(Key key) {
  Entry& target = entry(std::move(key));
  target = Entry{true, std::nullopt, {}};
}

void WriteOverlay::change(Key key, Change change) {
  entry(std::move(key)).changes.push_back(std::move(change));
}

void WriteOverlay::clear(const std::string& ns, const base::Bytes& begin, const base::Bytes& end) {
  for (auto it = entries_.lower_bound({ns, begin}); it != entries_.end(); ++it) {
    if (it->first.first != ns || !in_range(it->first.second, begin, end)) break;
    it->second = Entry{true, std::nullopt, {}};
  }
  cleared_[ns].push_back({begin, end});
}

bool WriteOverlay::decides(const Key& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() ? found->second.absolute : cleared(key);
}

base::Result<std::optional<base::Bytes>> WriteOverlay::view(
    const Key& key, const std::optional<base::Bytes>& stored) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return cleared(key) ? std::optional<base::Bytes>() : stored;
  const Entry& target = found->second;
  std::optional<base::Bytes> value = target.absolute ? target.value : stored;
  for (const Change& change : target.changes) {
    if (const auto* add = std::get_if<Add>(&change)) {
      SYNOD_RETURN_IF_ERROR(add_to(value, add->delta));
    } else if (const auto* append = std::get_if<Append>(&change)) {
      value = value.value_or(base::Bytes()) + append->suffix;
    } else {
      return base::Status(base::StatusCode::kUnsupported,
                          "a stamped value can be read only after the commit");
    }
  }
  return value;
}

std::vector<base::Bytes> WriteOverlay::written_keys(const std::string& ns, const base::Bytes& begin,
                                                    const base::Bytes& end) const {
  std::vector<base::Bytes> keys;
  for (auto it = entries_.lower_bound({ns, begin}); it != entries_.end(); ++it) {
    if (it->first.first != ns || !in_range(it->first.second, begin, end)) break;
    keys.push_back(it->first.second);
  }
  return keys;
}

}  // namespace synod::client
