// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "core/state/rows.h"
#include "core/types.h"
#include "storage/storage_backend.h"

namespace synod::core {

/// Rows on their way to the storage backend: several writes of one row become one, and a batch
/// always ends at an operation's boundary.
///
/// The writer only copies rows into memory that nobody else writes and publishes them by groups;
/// sorting and dropping what was written again is done by whoever takes them.
///
/// Owned by TransactionalKvDatabase, drained by Persistence.
///
/// Invariants
///   WB1  What `take` returns is the net effect of whole operations: all rows of every applied
///        index up to its last one, and none of a later one.
///   WB2  bytes() is never less than what the batch of a `take` at that moment would hold.
///   WB3  While nobody takes, rows that are written again and again cost little more memory than
///        their newest values: a chunk of them is coalesced when it is full.
///
/// Threads: rows and `seal` on the writer; `take` on any one other thread, `bytes` on any.
class WriteBehind final : public RowSink {
 public:
  void put_row(base::BytesView key, base::BytesView value) override;
  void erase_row(base::BytesView key) override;
  /// The entry row of a key, without copies on its way here.
  void put_entry(const KeyRef& ref, const RecordHeader& header, base::BytesView value);
  void erase_entry(const KeyRef& ref);
  /// Ends a group of operations, the last of them at `index`, after which `version` is the newest:
  /// what was put since the last seal becomes takeable.
  void seal(LogIndex index, Version version);

  /// Counts bytes as long as it lives.
  class Claim {
   public:
    Claim() = default;
    Claim(std::shared_ptr<std::atomic<std::uint64_t>> sum, std::uint64_t bytes)
        : sum_(std::move(sum)), bytes_(bytes) {
      sum_->fetch_add(bytes_, std::memory_order_relaxed);
    }
    Claim(Claim&&) noexcept = default;
    Claim& operator=(Claim&& other) noexcept {
      std::swap(sum_, other.sum_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() {
      if (sum_ != nullptr) sum_->fetch_sub(bytes_, std::memory_order_relaxed);
    }

   private:
    std::shared_ptr<std::atomic<std::uint64_t>> sum_;
    std::uint64_t bytes_ = 0;
  };
  struct Batch {
    storage::WriteBatch rows;
    LogIndex last{0};    ///< 0: nothing was sealed since the last take.
    Version version{0};  ///< The newest version after `last`.
    Claim claim;         ///< Of what was sealed: its memory is there as long as the batch.
  };
  [[nodiscard]] Batch take();
  /// Bytes sealed and not yet taken; rows that are written again count until they are coalesced.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  /// With those of batches that were taken and are still there. Any thread.
  [[nodiscard]] std::uint64_t held_bytes() const {
    return bytes() + taken_bytes_->load(std::memory_order_relaxed);
  }
  /// Bytes put since the last seal. On the writer.
  [[nodiscard]] std::uint64_t open_bytes() const { return open_.bytes; }
  /// Drops rows put since the last seal; recovery uses it to discard what loading wrote.
  void discard_open() { open_ = {}; }

 private:
  static constexpr std::uint32_t kErased = UINT32_MAX;
  using Memory = std::shared_ptr<char[]>;
  struct Row {
    const char* bytes = nullptr;  ///< The key, then the value.
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;  ///< kErased: there is none.
    [[nodiscard]] bool is_erased() const { return value_size == kErased; }
    [[nodiscard]] base::BytesView key() const { return {bytes, key_size}; }
    [[nodiscard]] std::uint64_t size() const;
  };
  /// Rows in the order they were written and the memory they lie in.
  struct Chunk {
    std::vector<Row> rows;
    std::vector<Memory> memory;
    std::uint64_t bytes = 0;
    /// Takes over the memory of `other`.
    void append(Chunk& other);
  };
  static constexpr std::size_t kMemoryBytes = std::size_t{64} << 10;
  static constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20;
  /// Nobody took for so long that it is worth to coalesce here.
  static constexpr std::uint64_t kBehindBytes = std::uint64_t{8} << 20;

  char* add_row(std::size_t key_size, std::size_t value_size, bool is_erased);
  void close_chunk();
  [[nodiscard]] static std::vector<Row> newest_rows(std::span<const Chunk> chunks);
  [[nodiscard]] static Chunk copy_rows(const std::vector<Row>& rows, std::uint64_t bytes);

  // Writer only: rows of the group under way, and where the next one goes.
  Chunk open_;
  Memory memory_;
  std::size_t memory_used_ = kMemoryBytes;

  std::mutex mutex_;
  std::vector<Chunk> sealed_;  ///< The last one is being filled.
  LogIndex last_{0};
  Version version_{0};
  std::atomic<std::uint64_t> bytes_{0};  ///< Changed under the mutex.
  /// Shared with the claims of batches, which may be let go of later than this.
  std::shared_ptr<std::atomic<std::uint64_t>> taken_bytes_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace synod::core
