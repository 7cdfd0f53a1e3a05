// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace synod::history {

/// A transaction, by its place in a list.
using TxnIndex = std::uint32_t;

/// Why one transaction must come before another. Bits, so that a set of kinds is a mask.
enum EdgeKind : std::uint8_t {
  kEdgeWw = 1,         ///< It wrote the version before.
  kEdgeWr = 2,         ///< The other read what it wrote.
  kEdgeRw = 4,         ///< The other overwrote what it read.
  kEdgePhantom = 8,    ///< As rw, and the read was one of a range that lacked the key.
  kEdgeRealTime = 16,  ///< It was acknowledged before the other began.
};

struct Edge {
  TxnIndex from = 0;
  TxnIndex to = 0;
  EdgeKind kind = kEdgeWw;
  std::uint32_t key = 0;  ///< A number the owner gives meaning to; not for real time.
};

/// The edges of a cycle in order; the last one leads to where the first begins.
using Cycle = std::vector<Edge>;

/// A cycle with the name of its class: "G0", "G1c", "lost-update", "G-single", "G2", those with
/// "-phantom" where a range missed a row, and with "-realtime" where the order of the clock is
/// needed to close it.
struct NamedCycle {
  std::string anomaly;
  Cycle cycle;
};

/// Who must come before whom, and whether that is possible.
///
/// Threads: externally synchronized.
class DependencyGraph {
 public:
  explicit DependencyGraph(std::size_t transactions) : nodes_(transactions) {}

  /// An edge from a transaction to itself says nothing and is not kept.
  void add(Edge edge);

  /// One cycle of the plainest class for each strongly connected component; none: the transactions
  /// can be put in an order. A component where the bounded search for a short cycle finds none
  /// yields some cycle of the class it certainly has.
  [[nodiscard]] std::vector<NamedCycle> find_cycles() const;

 private:
  [[nodiscard]] std::vector<std::vector<TxnIndex>> components() const;

  std::size_t nodes_;
  std::vector<std::vector<Edge>> out_ = std::vector<std::vector<Edge>>(nodes_);
};

}  // namespace synod::history
