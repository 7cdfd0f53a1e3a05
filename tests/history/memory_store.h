// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/history/client.h"
#include "tests/history/turnstile.h"

namespace synod::history {

/// What is wrong with a MemoryStore, where a chance allows it.
enum class Fault : std::uint8_t {
  kNone,
  kNoConflictCheck,  ///< Commits whatever the reads were.
  kNoRangeConflict,  ///< Checks keys, but not ranges.
  kStaleReads,       ///< Read versions lie in the past.
  kLostWrites,       ///< Acknowledges and drops.
  kTornCommits,      ///< Applies the first of several writes only.
  kAppliesRefused,   ///< Reports a conflict and applies.
  kAppliesTwice,     ///< An increment or append counts twice.
  kReadsLatest,      ///< Reads of a transaction see the newest state, whatever its version.
};

/// A transactional store in memory with all versions kept: correct, or wrong in one chosen way, so
/// that what checkers and workloads notice can be measured.
///
/// Invariants
///   M1  Without a fault it is strictly serializable, and its versions are a true certificate.
///
/// Threads: thread-safe.
class MemoryStore {
 public:
  struct Write {
    OpKind kind = OpKind::kWrite;  ///< kWrite, kDelete, kIncrement or kAppend.
    base::Bytes key;
    base::Bytes value;
  };
  struct Commit {
    std::optional<std::int64_t> read_version;  ///< Absent: nothing was read.
    std::vector<base::Bytes> keys_read;
    std::vector<std::pair<base::Bytes, base::Bytes>> ranges_read;
    std::vector<Write> writes;
  };

  explicit MemoryStore(std::uint64_t seed, Fault fault = Fault::kNone, double chance = 0.05);

  [[nodiscard]] std::int64_t version();
  [[nodiscard]] std::optional<base::Bytes> get(const base::Bytes& key, std::int64_t version);
  [[nodiscard]] std::vector<Row> range(const base::Bytes& begin, const base::Bytes& end,
                                       std::uint32_t limit, std::int64_t version);
  /// The commit version; nullopt is a conflict.
  std::optional<std::int64_t> commit(const Commit& request);
  /// True with this probability, from the store's own seed.
  bool chance(double probability);

 private:
  bool faulty(Fault fault) { return fault_ == fault && random_.chance(chance_); }
  std::optional<base::Bytes> get_locked(const base::Bytes& key, std::int64_t version) const;
  bool conflicts(const Commit& request);
  void apply(const Write& write, std::int64_t version);

  const Fault fault_;
  const double chance_;
  std::mutex mutex_;
  base::Random random_;                                                             // guarded
  std::map<base::Bytes, std::map<std::int64_t, std::optional<base::Bytes>>> rows_;  // guarded
  std::int64_t version_ = 0;                                                        // guarded
};

/// A client of a MemoryStore. A commit's answer is lost with probability `unknown`, the commit
/// being done or not; commit_again tells what happened. With a turnstile every call is one turn.
class MemoryClient final : public Client {
 public:
  MemoryClient(MemoryStore& store, double unknown, Turnstile* turnstile = nullptr,
               std::size_t thread = 0);
  ~MemoryClient() override;

  base::Result<std::unique_ptr<ClientTransaction>> begin() override;
  base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) override;
  WriteResult set(const base::Bytes& key, const base::Bytes& value) override;
  WriteResult remove(const base::Bytes& key) override;
  base::Result<std::vector<Row>> range_at(const base::Bytes& begin, const base::Bytes& end,
                                          std::int64_t version) override;

 private:
  friend class MemoryTransaction;
  void turn();
  WriteResult write(MemoryStore::Write step);

  MemoryStore& store_;
  const double unknown_;
  Turnstile* const turnstile_;
  const std::size_t thread_;
};

}  // namespace synod::history
