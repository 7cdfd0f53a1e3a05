// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/group/process_group.h"

namespace synod::partition {

using group::kNodes;

/// Three network namespaces at one bridge of this machine, a node in each, and rules inside them
/// that drop what a test wants dropped. A test reaches every node from outside, over the bridge,
/// and no rule ever concerns it: only what nodes send each other is cut.
///
/// Invariants
///   N1  A number that no other process of this machine has makes all names and addresses; it is
///       free again when its owner ends, however that happens.
///   N2  Rules are only ever written in the namespaces made here.
///   N3  What a dead owner of the number left behind is gone before anything is made.
///
/// Owner: one test; it outlives the processes in it. Threads: externally synchronized.
/// Failure: kUnsupported where the machine does not permit namespaces; they need root.
class Network {
 public:
  static base::Result<std::unique_ptr<Network>> create();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] std::string host(std::size_t node) const;
  /// Words before a command line that make it run at the node.
  [[nodiscard]] std::vector<std::string> prefix(std::size_t node) const;

  /// Nothing arrives at `to` that `from` sent.
  base::Status cut(std::size_t from, std::size_t to);
  base::Status cut_both(std::size_t one, std::size_t other);
  /// The node and the two others hear nothing of each other.
  base::Status isolate(std::size_t node);
  /// That many of 100 packets between nodes are lost.
  base::Status lose(unsigned percent);
  /// Nothing is dropped any more.
  base::Status heal();

 private:
  Network(int lock, unsigned number, std::filesystem::path directory)
      : lock_(lock), number_(number), directory_(std::move(directory)) {}

  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string space(std::size_t node) const;
  [[nodiscard]] base::Status shell(const std::string& script) const;
  base::Status make() const;
  [[nodiscard]] base::Status remove() const;
  [[nodiscard]] std::string rules_of(std::size_t node) const;
  [[nodiscard]] base::Status apply() const;

  const int lock_;
  const unsigned number_;
  const std::filesystem::path directory_;               // for what the tools print
  std::array<std::array<bool, kNodes>, kNodes> cut_{};  // [to][from]
  unsigned loss_ = 0;
};

/// Options of a group in `network`, with patience short enough for tests.
[[nodiscard]] group::GroupOptions options_in(const Network& network, const std::string& name);

}  // namespace synod::partition
