// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/group/ledger.h"
#include "tests/group/process_group.h"

namespace synod::disk_fault {

using group::kNodes;
using group::Seconds;

/// A positive number from the environment, or `otherwise`.
[[nodiscard]] int rounds_of(const char* variable, int otherwise);

/// A directory that goes when everything below it is gone; it stays after a failure.
class WorkDirectory {
 public:
  explicit WorkDirectory(const std::string& name);
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

/// Three nodes with small logs and frequent snapshots, and writers with a ledger.
///
/// Threads: one owner.
class DiskGroup {
 public:
  static constexpr std::size_t kWriters = 4;

  explicit DiskGroup(const std::filesystem::path& directory,
                     const std::vector<std::string>& settings = {});

  [[nodiscard]] group::ProcessGroup& nodes() { return nodes_; }
  [[nodiscard]] group::Ledger& ledger() { return ledger_; }

  /// Starts all and writes until `transactions` were acknowledged.
  base::Status begin(std::uint64_t transactions);
  /// Writers at the nodes but `except`, until stop_writing() or settle().
  void write_around(std::size_t except);
  void stop_writing() { ledger_.stop(); }
  /// Writes `count` transactions at the nodes but `except`.
  base::Status write_some(std::uint64_t count, std::size_t except);

  /// How a start ended: it accepts clients, or the process is gone.
  struct Started {
    bool serves = false;
    bool is_refused = false;  ///< It ended with the exit code of a bad data directory.
    std::string said;         ///< What its log got since.
  };
  Started start(std::size_t node);
  /// Starts it and waits until it has what the others have.
  base::Status start_and_catch_up(std::size_t node);

  /// Waits until all three have one hash at one slot.
  base::Status wait_for_all_equal(Seconds limit);
  /// Stops the writers; all three must become equal, and the ledger must be right.
  base::Status settle(bool everything = false);
  /// The linearizable answer of one node; its error if there is none.
  base::Status read_at(std::size_t node, const std::string& level);
  /// docs/OPERATIONS.md, "The disk is lost": an empty directory, and a replacement at the leader.
  base::Status replace_disk(std::size_t node);
  /// Only the second half.
  base::Status let_in(std::size_t node);
  /// Waits for a leader other than `except`.
  base::Result<std::size_t> wait_for_leader(std::optional<std::size_t> except, Seconds limit);
  /// Waits until the node's log has `text` behind `from`.
  bool wait_for_log(std::size_t node, std::size_t from, const std::string& text, Seconds limit);
  [[nodiscard]] std::size_t log_size(std::size_t node) const { return nodes_.log_of(node).size(); }
  [[nodiscard]] std::string log_since(std::size_t node, std::size_t from) const {
    return nodes_.log_of(node).substr(from);
  }

 private:
  group::ProcessGroup nodes_;
  group::Ledger ledger_{kWriters};
};

}  // namespace synod::disk_fault
