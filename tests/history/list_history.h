// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/history/dependency_graph.h"
#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

/// The lists of a history: who appended what, who read what, and in which order it must have come.
///
/// Invariants
///   L1  order(key) is the longest list that a transaction which took place read, and all other
///       such lists are beginnings of it, or there is a finding.
///   L2  Keys and elements are views into the operations, which must outlive this.
///
/// Threads: externally synchronized.
class ListHistory {
 public:
  explicit ListHistory(const std::vector<const Operation*>& txns) : txns_(txns) {}

  /// Everything up to the orders. kInvalidArgument if an element is appended twice.
  base::Status gather(Report& report);
  /// ww, wr and rw edges.
  void add_edges(DependencyGraph& graph) const;
  /// Acknowledged elements that nobody saw although somebody looked later.
  void find_lost(Report& report) const;

  [[nodiscard]] bool took_place(TxnIndex txn) const { return took_place_[txn]; }
  [[nodiscard]] std::string_view key_name(std::uint32_t key) const { return keys_[key].name; }

 private:
  struct Append {
    TxnIndex txn = 0;
    bool last = true;  // the txn appends nothing more to this key
  };
  struct Key {
    std::string_view name;
    std::unordered_map<std::string_view, Append> appends;
    std::vector<std::string_view> order;
    TxnIndex order_from = 0;  // who read it
  };
  /// What a transaction found in a key when it began, its own appends taken away.
  struct ListRead {
    TxnIndex txn = 0;
    std::uint32_t key = 0;
    std::size_t length = 0;  // of the beginning of order(key) that it saw
    bool compatible = true;
    bool by_range = false;
    std::vector<std::string_view> elements;
  };
  /// One transaction's view of a key while its steps are gone through.
  struct View {
    bool known = false;
    std::vector<std::string_view> base;
    std::vector<std::string_view> own;
  };
  using Views = std::map<std::uint32_t, View>;

  std::uint32_t key_id(std::string_view name);
  base::Status gather_appends();
  void gather_reads(TxnIndex txn, Report& report);
  void gather_range(TxnIndex txn, const MicroOp& op, Views& views, Report& report);
  void see(TxnIndex txn, std::uint32_t key, std::vector<std::string_view> elements, bool by_range,
           Views& views, Report& report);
  void mark_observed();
  void check_elements(const ListRead& read, Report& report) const;
  void find_orders(Report& report);
  void explain(Report& report, std::string anomaly, const ListRead& read,
               std::string_view what) const;

  const std::vector<const Operation*>& txns_;
  std::vector<Key> keys_;
  std::map<std::string_view, std::uint32_t> ids_;  // ordered: ranges walk it
  std::vector<ListRead> reads_;
  std::vector<bool> took_place_;
};

}  // namespace synod::history
