// SPDX-License-Identifier: Apache-2.0
#include "tests/history/list_history.h"

#include <algorithm>
#include <unordered_set>

#include "base/text.h"

namespace synod::history {

std::uint32_t ListHistory::key_id(std::string_view name) {
  const auto [found, fresh] = ids_.emplace(name, static_cast<std::uint32_t>(keys_.size()));
  if (fresh) keys_.emplace_back().name = name;
  return found->second;
}

base::Status ListHistory::gather(Report& report) {
  took_place_.assign(txns_.size(), false);
  SYNOD_RETURN_IF_ERROR(gather_appends());
  for (TxnIndex txn = 0; txn < txns_.size(); ++txn) {
    took_place_[txn] = txns_[txn]->outcome == Outcome::kApplied;
    if (txns_[txn]->outcome != Outcome::kNotApplied) gather_reads(txn, report);
  }
  mark_observed();
  std::erase_if(reads_, [&](const ListRead& read) { return !took_place_[read.txn]; });
  for (const ListRead& read : reads_) check_elements(read, report);
  find_orders(report);
  return {};
}

base::Status ListHistory::gather_appends() {
  for (TxnIndex txn = 0; txn < txns_.size(); ++txn) {
    std::map<std::uint32_t, std::string_view> last;
    for (const MicroOp& op : txns_[txn]->ops) {
      if (op.kind == OpKind::kRead) key_id(op.key);
      if (op.kind != OpKind::kAppend) continue;
      const std::uint32_t key = key_id(op.key);
      auto& appends = keys_[key].appends;
      if (!appends.emplace(*op.value, Append{txn, true}).second) {
        return {base::StatusCode::kInvalidArgument,
                base::concat("element ", *op.value, " is appended to ", base::escape(op.key),
                             " twice: ", txns_[txn]->to_string())};
      }
      const auto [before, first] = last.emplace(key, *op.value);
      if (!first) appends[before->second].last = false;
      before->second = *op.value;
    }
  }
  return {};
}

void ListHistory::gather_reads(TxnIndex txn, Report& report) {
  Views views;
  for (const MicroOp& op : txns_[txn]->ops) {
    switch (op.kind) {
      case OpKind::kAppend:
        views[key_id(op.key)].own.push_back(*op.value);
        break;
      case OpKind::kRead:
        if (op.seen) see(txn, key_id(op.key), list_of(op.value), false, views, report);
        break;
      default:
        if (op.seen) gather_range(txn, op, views, report);
    }
  }
}

void ListHistory::gather_range(TxnIndex txn, const MicroOp& op, Views& views, Report& report) {
  // Cut short by its limit, it looked at nothing behind the last row.
  const bool cut = op.limit != 0 && op.rows.size() >= op.limit;
  std::string_view previous;
  std::map<std::string_view, const Row*> rows;
  for (const Row& row : op.rows) {
    const bool inside = row.key >= op.key && (op.end.empty() || row.key < op.end);
    if (!inside || (!rows.empty() && row.key <= previous)) {
      report.add("range-order", base::concat("  row ", base::escape(row.key),
                                             " is out of place in\n  ", txns_[txn]->to_string()));
      return;
    }
    previous = row.key;
    rows.emplace(row.key, &row);
    key_id(row.key);
  }
  for (auto at = ids_.lower_bound(op.key); at != ids_.end(); ++at) {
    if (!op.end.empty() && at->first >= op.end) break;
    if (cut && at->first > previous) break;
    const auto row = rows.find(at->first);
    auto elements =
        row == rows.end() ? std::vector<std::string_view>() : list_elements(row->second->value);
    see(txn, at->second, std::move(elements), row == rows.end(), views, report);
  }
}

/// A read: its own appends must stand at its end, and what is before must not change meanwhile.
void ListHistory::see(TxnIndex txn, std::uint32_t key, std::vector<std::string_view> elements,
                      bool by_range, Views& views, Report& report) {
  View& view = views[key];
  const std::size_t own = view.own.size();
  bool consistent =
      elements.size() >= own && std::equal(view.own.begin(), view.own.end(),
                                           elements.end() - static_cast<std::ptrdiff_t>(own));
  if (consistent) elements.resize(elements.size() - own);
  consistent = consistent && (!view.known || view.base == elements);
  if (!consistent) {
    report.add("internal",
               base::concat("  what it reads in ", base::escape(keys_[key].name),
                            " does not fit its own earlier steps:\n  ", txns_[txn]->to_string()));
    return;
  }
  if (view.known) return;
  view.known = true;
  view.base = elements;
  ListRead read;
  read.txn = txn;
  read.key = key;
  read.by_range = by_range;
  read.elements = std::move(elements);
  reads_.push_back(std::move(read));
}

/// Whoever's element was seen took place, and then what it read counts, too. One pass is not
/// enough: the reader may itself be unknown.
void ListHistory::mark_observed() {
  std::unordered_map<TxnIndex, std::vector<const ListRead*>> of_unknown;
  std::vector<const ListRead*> open;
  for (const ListRead& read : reads_) {
    if (took_place_[read.txn]) {
      open.push_back(&read);
    } else {
      of_unknown[read.txn].push_back(&read);
    }
  }
  while (!open.empty()) {
    const ListRead& read = *open.back();
    open.pop_back();
    // Only the ends matter for long lists that many read: but all elements are looked at once each.
    for (const std::string_view element : read.elements) {
      const auto found = keys_[read.key].appends.find(element);
      if (found == keys_[read.key].appends.end()) continue;
      const TxnIndex writer = found->second.txn;
      if (took_place_[writer] || txns_[writer]->outcome != Outcome::kUnknown) continue;
      took_place_[writer] = true;
      const auto more = of_unknown.find(writer);
      if (more != of_unknown.end())
        open.insert(open.end(), more->second.begin(), more->second.end());
    }
  }
}

void ListHistory::explain(Report& report, std::string anomaly, const ListRead& read,
                          std::string_view what) const {
  report.add(std::move(anomaly), base::concat("  key ", base::escape(keys_[read.key].name), ": ",
                                              what, "\n  ", txns_[read.txn]->to_string()));
}

void ListHistory::check_elements(const ListRead& read, Report& report) const {
  const auto& appends = keys_[read.key].appends;
  std::unordered_set<std::string_view> seen;
  for (const std::string_view element : read.elements) {
    if (!seen.insert(element).second) {
      explain(report, "duplicate-elements", read, base::concat(element, " is there twice"));
      break;
    }
    const auto found = appends.find(element);
    if (found == appends.end()) {
      explain(report, "unwritten-element", read, base::concat("nobody appended ", element));
      continue;
    }
    const Operation& writer = *txns_[found->second.txn];
    if (writer.outcome == Outcome::kNotApplied) {
      explain(report, "G1a", read,
              base::concat(element, " comes from a transaction that failed:\n  ",
                           writer.to_string(), "\n  yet is read by"));
    } else if (writer.invoked > txns_[read.txn]->completed) {
      explain(report, "read-from-future", read,
              base::concat(element, " is read before it was appended by\n  ", writer.to_string()));
    }
  }
  if (read.elements.empty()) return;
  const auto last = appends.find(read.elements.back());
  if (last == appends.end() || last->second.last || last->second.txn == read.txn) return;
  explain(report, "G1b", read,
          base::concat("ends in the middle of\n  ", txns_[last->second.txn]->to_string(),
                       "\n  as read by"));
}

void ListHistory::find_orders(Report& report) {
  for (const ListRead& read : reads_) {
    Key& key = keys_[read.key];
    if (read.elements.size() <= key.order.size()) continue;
    key.order = read.elements;
    key.order_from = read.txn;
  }
  for (ListRead& read : reads_) {
    const Key& key = keys_[read.key];
    read.length = read.elements.size();
    read.compatible = std::equal(read.elements.begin(), read.elements.end(), key.order.begin());
    if (read.compatible) continue;
    explain(report, "incompatible-order", read,
            base::concat("this is no beginning of what was read by\n  ",
                         txns_[key.order_from]->to_string(), "\n  :"));
  }
}

void ListHistory::add_edges(DependencyGraph& graph) const {
  const auto writer = [&](std::uint32_t key, std::size_t at) -> std::optional<TxnIndex> {
    const auto found = keys_[key].appends.find(keys_[key].order[at]);
    if (found == keys_[key].appends.end() || !took_place_[found->second.txn]) return std::nullopt;
    return found->second.txn;
  };
  // Elements that nobody saw come after all that were seen.
  std::vector<std::vector<TxnIndex>> unseen(keys_.size());
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    const Key& key = keys_[id];
    const std::unordered_set<std::string_view> seen(key.order.begin(), key.order.end());
    for (const auto& [element, append] : key.appends) {
      if (took_place_[append.txn] && !seen.contains(element)) unseen[id].push_back(append.txn);
    }
    for (std::size_t i = 0; i < key.order.size(); ++i) {
      const auto from = writer(id, i);
      if (!from.has_value()) continue;
      if (i + 1 < key.order.size()) {
        if (const auto to = writer(id, i + 1)) graph.add({*from, *to, kEdgeWw, id});
        continue;
      }
      for (const TxnIndex to : unseen[id]) graph.add({*from, to, kEdgeWw, id});
    }
  }
  for (const ListRead& read : reads_) {
    if (!read.compatible) continue;
    const EdgeKind rw = read.by_range ? kEdgePhantom : kEdgeRw;
    if (read.length > 0) {
      if (const auto from = writer(read.key, read.length - 1)) {
        graph.add({*from, read.txn, kEdgeWr, read.key});
      }
    }
    if (read.length < keys_[read.key].order.size()) {
      if (const auto to = writer(read.key, read.length)) graph.add({read.txn, *to, rw, read.key});
      continue;
    }
    for (const TxnIndex to : unseen[read.key]) graph.add({read.txn, to, rw, read.key});
  }
}

void ListHistory::find_lost(Report& report) const {
  // The latest beginning of a read of each key.
  std::vector<const ListRead*> latest(keys_.size(), nullptr);
  std::vector<std::unordered_set<std::string_view>> seen(keys_.size());
  for (const ListRead& read : reads_) {
    if (!read.compatible) seen[read.key].insert(read.elements.begin(), read.elements.end());
    const ListRead*& best = latest[read.key];
    if (best == nullptr || txns_[read.txn]->invoked > txns_[best->txn]->invoked) best = &read;
  }
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    if (latest[id] == nullptr) continue;
    seen[id].insert(keys_[id].order.begin(), keys_[id].order.end());  // L1: all compatible reads
    for (const auto& [element, append] : keys_[id].appends) {
      if (txns_[append.txn]->completed >= txns_[latest[id]->txn]->invoked) continue;
      if (txns_[append.txn]->outcome != Outcome::kApplied || seen[id].contains(element)) continue;
      explain(report, "lost-append", *latest[id],
              base::concat(element, " was acknowledged to\n  ", txns_[append.txn]->to_string(),
                           "\n  and is in no read, nor in the later"));
    }
  }
}

}  // namespace synod::history
