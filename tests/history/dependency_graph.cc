// SPDX-License-Identifier: Apache-2.0
#include "tests/history/dependency_graph.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "base/assert.h"

namespace synod::history {
namespace {

constexpr unsigned kAnyRw = kEdgeRw | kEdgePhantom;
constexpr std::size_t kStartsMax = 2'000;  // edges of a component that are tried as the first

/// A class of cycles: one edge of `first`, then only edges of `rest`.
struct CycleClass {
  unsigned first;
  unsigned rest;
  std::string_view name;
};

// The plainest first. A cycle found in one row has no simpler name, since the rows before it would
// have found it.
constexpr CycleClass kClasses[] = {
    {kEdgeWw, kEdgeWw, "G0"},
    {kEdgeWr, kEdgeWw | kEdgeWr, "G1c"},
    {kAnyRw, kEdgeWw | kEdgeWr, "G-single"},
    {kAnyRw, kEdgeWw | kEdgeWr | kAnyRw, "G2"},
    {kEdgeWw, kEdgeWw | kEdgeRealTime, "G0"},
    {kEdgeWr, kEdgeWw | kEdgeWr | kEdgeRealTime, "G1c"},
    {kAnyRw, kEdgeWw | kEdgeWr | kEdgeRealTime, "G-single"},
    {kAnyRw, kEdgeWw | kEdgeWr | kAnyRw | kEdgeRealTime, "G2"},
};

/// The search within one strongly connected component.
class Component {
 public:
  Component(const std::vector<std::vector<Edge>>& out, const std::vector<TxnIndex>& members) {
    for (std::size_t i = 0; i < members.size(); ++i) local_.emplace(members[i], i);
    out_.resize(members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      for (const Edge& edge : out[members[i]]) {
        if (local_.contains(edge.to)) out_[i].push_back(edge);
      }
    }
  }

  /// The shortest cycle of the class among the first edges that are tried.
  [[nodiscard]] Cycle find(const CycleClass& wanted) const {
    Cycle best;
    std::size_t starts = 0;
    for (const auto& edges : out_) {
      for (const Edge& edge : edges) {
        if ((edge.kind & wanted.first) == 0) continue;
        if (++starts > kStartsMax) return best;
        Cycle found = close(edge, wanted.rest, best.empty() ? SIZE_MAX : best.size());
        if (!found.empty()) best = std::move(found);
        if (best.size() == 2) return best;
      }
    }
    return best;
  }

 private:
  /// The shortest way back from the end of `first` to its start, if shorter than `below`.
  [[nodiscard]] Cycle close(const Edge& first, unsigned kinds, std::size_t below) const {
    std::vector<const Edge*> came(out_.size(), nullptr);
    std::vector<std::uint32_t> depth(out_.size(), 0);
    std::deque<std::size_t> open{local_.at(first.to)};
    const std::size_t goal = local_.at(first.from);
    while (!open.empty() && came[goal] == nullptr) {
      const std::size_t at = open.front();
      open.pop_front();
      if (depth[at] + 2 >= below) break;
      for (const Edge& edge : out_[at]) {
        if ((edge.kind & kinds) == 0) continue;
        const std::size_t to = local_.at(edge.to);
        if (came[to] != nullptr || edge.to == first.to) continue;
        came[to] = &edge;
        depth[to] = depth[at] + 1;
        open.push_back(to);
      }
    }
    if (came[goal] == nullptr) return {};
    Cycle backwards;
    for (std::size_t at = goal; at != local_.at(first.to); at = local_.at(backwards.back().from)) {
      backwards.push_back(*came[at]);
    }
    backwards.push_back(first);
    return {backwards.rbegin(), backwards.rend()};
  }

  std::unordered_map<TxnIndex, std::size_t> local_;
  std::vector<std::vector<Edge>> out_;
};

std::string name_of(const CycleClass& found, const Cycle& cycle) {
  const auto on_key = [&](const Edge& edge) {
    return edge.kind == kEdgeWw && edge.key == cycle.front().key;
  };
  if (cycle.front().kind == kEdgeRw && std::all_of(cycle.begin() + 1, cycle.end(), on_key)) {
    return "lost-update";
  }
  const bool phantom = std::any_of(cycle.begin(), cycle.end(),
                                   [](const Edge& edge) { return edge.kind == kEdgePhantom; });
  std::string name(found.name);
  if (phantom) name += "-phantom";
  if ((found.rest & kEdgeRealTime) != 0) name += "-realtime";
  return name;
}

/// Tarjan's algorithm without recursion.
class Tarjan {
 public:
  explicit Tarjan(const std::vector<std::vector<Edge>>& out)
      : out_(out), order_(out.size(), 0), low_(out.size(), 0), on_stack_(out.size(), false) {}

  std::vector<std::vector<TxnIndex>> run() {
    for (TxnIndex root = 0; root < out_.size(); ++root) {
      if (order_[root] == 0) walk(root);
    }
    return std::move(components_);
  }

 private:
  struct Frame {
    TxnIndex at;
    std::size_t next_edge;
  };

  void open(TxnIndex at) {
    order_[at] = low_[at] = ++counter_;
    stack_.push_back(at);
    on_stack_[at] = true;
    frames_.push_back({at, 0});
  }

  void walk(TxnIndex root) {
    open(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const TxnIndex at = frame.at;
      if (frame.next_edge < out_[at].size()) {
        const TxnIndex to = out_[at][frame.next_edge++].to;
        if (order_[to] == 0) {
          open(to);
        } else if (on_stack_[to]) {
          low_[at] = std::min(low_[at], order_[to]);
        }
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) low_[frames_.back().at] = std::min(low_[frames_.back().at], low_[at]);
      if (low_[at] == order_[at]) close(at);
    }
  }

  void close(TxnIndex root) {
    std::vector<TxnIndex> members;
    for (TxnIndex member = TxnIndex(-1); member != root;) {
      member = stack_.back();
      stack_.pop_back();
      on_stack_[member] = false;
      members.push_back(member);
    }
    if (members.size() > 1) components_.push_back(std::move(members));
  }

  const std::vector<std::vector<Edge>>& out_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> low_;
  std::vector<bool> on_stack_;
  std::vector<TxnIndex> stack_;
  std::vector<Frame> frames_;
  std::uint32_t counter_ = 0;
  std::vector<std::vector<TxnIndex>> components_;
};

}  // namespace

void DependencyGraph::add(Edge edge) {
  SYNOD_ASSERT(edge.from < nodes_ && edge.to < nodes_, "edges join known transactions");
  if (edge.from != edge.to) out_[edge.from].push_back(edge);
}

std::vector<std::vector<TxnIndex>> DependencyGraph::components() const {
  return Tarjan(out_).run();
}

std::vector<NamedCycle> DependencyGraph::find_cycles() const {
  std::vector<NamedCycle> cycles;
  for (const auto& members : components()) {
    const Component component(out_, members);
    bool found = false;
    for (const CycleClass& wanted : kClasses) {
      Cycle cycle = component.find(wanted);
      if (cycle.empty()) continue;
      cycles.push_back({name_of(wanted, cycle), std::move(cycle)});
      found = true;
      break;
    }
    if (!found) cycles.push_back({"cycle", {}});
  }
  return cycles;
}

}  // namespace synod::history
