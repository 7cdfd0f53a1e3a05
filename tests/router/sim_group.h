// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sim_loop.h"
#include "net/sim_peer_transport.h"
#include "router/replicated.h"
#include "storage/sim_file.h"
#include "tests/router/held_dispatcher.h"

namespace synod::router {

/// What a client was told of one operation. None yet: nothing, perhaps for ever.
struct SimCall {
  std::size_t node = 0;
  base::Nanos begun{0};
  std::optional<core::Outcome> outcome;
};

/// Whole replicas below `net` on one simulated loop: each has its disk, its threads and its place
/// in the network; processes come and go, disks stay.
///
/// Node i of the group has the number i + 1.
class SimGroup {
 public:
  /// `members` of `nodes` are configured to form the group; the others are spares that know of it.
  explicit SimGroup(std::uint64_t seed, std::size_t members = 3, std::size_t nodes = 3);
  ~SimGroup();

  /// A process on the disk as it is.
  [[nodiscard]] base::Status start(std::size_t node);
  /// Starts all and waits for a leader that executes.
  [[nodiscard]] bool form();
  /// The process ends; what it wrote stays in the page cache.
  void crash(std::size_t node);
  void power_cut(std::size_t node, storage::CrashPolicy policy);
  /// Ends it as a server does.
  [[nodiscard]] base::Status shut_down(std::size_t node);
  /// A new, empty disk. REQUIRES: no process.
  void lose_disk(std::size_t node);
  /// The node's backend takes no more rows, as on a full disk; its log goes on.
  void refuse_rows(std::size_t node, bool is_refusing) { *nodes_[node]->is_refusing = is_refusing; }
  /// Compactions of the node begin, and take for ever.
  void hold_compaction(std::size_t node, bool is_held) { nodes_[node]->compaction->hold(is_held); }
  /// The thread that reads values which left memory stands still.
  void hold_reader(std::size_t node, bool is_held) { nodes_[node]->reader->hold(is_held); }
  /// Whatever the node does with files of snapshots and images takes so long.
  void delay_storage(std::size_t node, base::Nanos delay) {
    nodes_[node]->storage->set_delay(delay);
  }
  /// Nothing passes between `node` and the others.
  void isolate(std::size_t node);
  void heal() { network_.heal_all(); }

  std::size_t submit(std::size_t node, core::KvOperation operation);
  [[nodiscard]] const SimCall& call(std::size_t position) const { return *calls_[position]; }
  [[nodiscard]] std::size_t calls() const { return calls_.size(); }
  /// Submits and waits for the answer.
  core::Outcome execute(std::size_t node, core::KvOperation operation);
  /// None if no answer came in time.
  std::optional<core::PointReadReply> read(std::size_t node, const std::string& key,
                                           ReadLevel level = ReadLevel::kLinearizable,
                                           std::optional<core::Version> at = std::nullopt);
  /// The value; none if it is missing or nobody answered.
  std::optional<std::string> get(std::size_t node, const std::string& key,
                                 ReadLevel level = ReadLevel::kLinearizable);
  base::Status change_member(std::size_t node, MemberChange change, std::uint32_t who,
                             std::uint32_t by = 0);
  std::optional<StoreStatus> status(std::size_t node);
  std::optional<VerifyReport> verify(std::size_t node, bool deep);

  void run_for(base::Nanos span);
  /// False: `span` passed without it.
  bool run_until(const std::function<bool()>& done, base::Nanos span = std::chrono::seconds(20));
  /// The node that leads and executes, as it says itself.
  [[nodiscard]] std::optional<std::size_t> leader();
  [[nodiscard]] bool wait_for_leader();
  /// All running nodes have executed the same and have the same state.
  [[nodiscard]] bool converge();

  [[nodiscard]] bool is_up(std::size_t node) const { return nodes_[node]->store != nullptr; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] std::vector<net::PeerView> peers(std::size_t node) const {
    return nodes_[node]->transport->views();
  }
  [[nodiscard]] Replicated& store(std::size_t node) { return *nodes_[node]->store; }
  [[nodiscard]] storage::SimFileSystem& files(std::size_t node) { return *nodes_[node]->files; }
  /// Of the node's next process.
  [[nodiscard]] ReplicatedOptions& options(std::size_t node) { return nodes_[node]->options; }
  /// Why the node's process ended by itself, last.
  [[nodiscard]] const std::string& fatal(std::size_t node) const { return nodes_[node]->fatal; }
  [[nodiscard]] base::SimLoop& loop() { return loop_; }
  [[nodiscard]] net::SimNetwork& network() { return network_; }
  void on_apply(std::size_t node, std::function<void()> task);

 private:
  struct Node {
    std::unique_ptr<storage::SimFileSystem> files;
    std::vector<base::SimDispatcher*>
        threads;  ///< consensus, log, apply, persistence, storage, net, compaction, reader
    std::unique_ptr<HeldDispatcher> storage;
    std::unique_ptr<HeldDispatcher> compaction;
    std::unique_ptr<HeldDispatcher> reader;
    ReplicatedOptions options;
    std::shared_ptr<bool> is_refusing = std::make_shared<bool>(false);
    std::unique_ptr<net::PeerTransport> transport;
    std::unique_ptr<Replicated> store;
    std::string fatal;
    bool has_died = false;
  };

  void add_node(std::size_t members);
  void end_process(Node& node);
  bool step();
  [[nodiscard]] net::PeerId id_of(std::size_t node) const {
    return net::PeerId(static_cast<std::uint32_t>(node + 1));
  }

  base::SimLoop loop_;
  net::SimNetwork network_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::shared_ptr<SimCall>> calls_;
};

/// counter += 1, without a token.
[[nodiscard]] core::KvOperation increment(const std::string& key);
/// The same attempt of the same client has no effect twice, since `begun`.
[[nodiscard]] core::KvOperation increment_once(const std::string& key, std::uint64_t client,
                                               std::int64_t sequence, core::Version begun);
[[nodiscard]] core::KvOperation write(const std::string& key, const std::string& value);

}  // namespace synod::router
