// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/kv_database.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "core/read.h"
#include "core/staged_writes.h"

namespace synod::core {

struct ExecutionResult {
  Outcome outcome;
};

/// The one place that gives an operation its meaning, in every mode.
///
/// Owned by KvStoreExecutor (writing) and shared by the router (reading).
///
/// Invariants
///   E1  The result of `execute` depends on the operation and the replicated state alone: no
///       clock, no random, no thread, no configuration of this node.
///   E2  All or nothing: a step that fails leaves no trace of its operation.
///   E3  Only an operation that commits takes a version, and every version is taken once.
///   E4  The sweep of an expiry or of a cleared namespace changes no verdict: what it does late
///       was already true for every reader and every conflict check.
///
/// Threads: `execute` on the writer; the reads on any thread.
class KvServiceCore {
 public:
  explicit KvServiceCore(KvDatabase& database) : database_(database) {}

  /// Executes the operation at log position `index`. Every position ends in database.finish.
  [[nodiscard]] ExecutionResult execute(LogIndex index, const KvOperation& operation);

  [[nodiscard]] PointReadReply read(const PointReadRequest& request,
                                    ReadWait wait = ReadWait::kNever) const;
  [[nodiscard]] RangeReadReply read_range(const RangeReadRequest& request,
                                          ReadWait wait = ReadWait::kNever) const;
  /// True if the operation will need a value that is not in memory now. Any thread.
  [[nodiscard]] bool needs_disk(const KvOperation& operation) const;
  /// Fetches such values and offers them to the writer, which takes them back into memory before it
  /// executes anything further. Any thread that may wait for the disk. What fails here is fetched
  /// again when the operation is executed.
  void fetch_for(const KvOperation& operation) const;
  [[nodiscard]] Version visible_version() const { return database_.visible_version(); }

  /// True if a Tick stamped `now` would change something: an expiry is due, a cleared namespace
  /// waits, or a tombstone can be forgotten. On the writer.
  [[nodiscard]] bool needs_tick(TimeMs now) const;

 private:
  struct Execution;

  [[nodiscard]] Outcome run(Execution& execution);
  [[nodiscard]] Outcome check_conflicts(const Execution& execution) const;
  [[nodiscard]] bool key_changed(const ReadConflictKey& key, const Execution& execution) const;
  [[nodiscard]] bool entry_changed(const NamespaceTable::Entry& ns, base::BytesView key,
                                   const Execution& execution) const;
  [[nodiscard]] Outcome run_steps(Execution& execution) const;
  [[nodiscard]] Outcome check_old_values(const Execution& execution) const;
  [[nodiscard]] Outcome run_step(const Step& step, Execution& execution) const;
  [[nodiscard]] Outcome run_set(const Step& step, Execution& execution, NamespaceId ns) const;
  [[nodiscard]] Outcome run_clear_namespace(const std::string& name, Execution& execution,
                                            std::optional<NamespaceId> ns) const;
  [[nodiscard]] Outcome run_stamped(const Step& step, Execution& execution, NamespaceId ns) const;
  [[nodiscard]] Outcome run_increment(const Step& step, Execution& execution, NamespaceId ns) const;
  [[nodiscard]] Outcome run_append(const Step& step, Execution& execution, NamespaceId ns) const;
  [[nodiscard]] Outcome run_expiry(const Step& step, Execution& execution, NamespaceId ns) const;
  [[nodiscard]] Outcome run_clear_range(const Step& step, Execution& execution,
                                        NamespaceId ns) const;
  void commit(Execution& execution, Outcome& outcome);
  void keep_house(OperationKind kind, TimeMs clock);
  void follow_conflict_floor(TimeMs clock, std::size_t steps_max);
  [[nodiscard]] base::Result<ReadKind> scan_into(const RangeReadRequest& request, ReadWait wait,
                                                 RangeReadReply& reply) const;
  [[nodiscard]] Version read_position(const std::optional<Version>& at) const;

  KvDatabase& database_;
};

}  // namespace synod::core
