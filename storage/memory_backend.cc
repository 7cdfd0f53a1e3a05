// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <mutex>
#include <shared_mutex>

#include "storage/row_history.h"
#include "storage/storage_backend.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::size_t kScanRows = 256;
constexpr std::uint64_t kRowOverhead = 96;

/// A sorted map under a lock: the engine of tests and of databases that live in memory only.
///
/// Threads: thread-safe; `scan` copies rows out in chunks, so a row callback may use the backend.
/// A batch written beside a scan may be seen in part by that scan, never by `get`.
class MemoryBackend final : public StorageBackend {
 public:
  Status write(const WriteBatch& batch) override {
    const std::unique_lock lock(mutex_);
    for (const WriteBatch::Put& put : batch.puts()) {
      Bytes key(put.key);
      history_.changing(key, rows_);
      erase(key);
      if (!put.value) continue;
      bytes_ += put.key.size() + put.value->size() + kRowOverhead;
      rows_.emplace(std::move(key), *put.value);
    }
    return Status();
  }

  Result<std::optional<Bytes>> get(BytesView key) const override {
    const std::shared_lock lock(mutex_);
    const auto found = rows_.find(key);
    if (found == rows_.end()) return std::optional<Bytes>();
    return std::optional<Bytes>(found->second);
  }

  Result<std::optional<Bytes>> get_durable(BytesView) const override {
    return std::optional<Bytes>();
  }

  Status scan(BytesView begin, BytesView end,
              base::Function<bool(BytesView, BytesView)> row) const override {
    Bytes from(begin);
    while (true) {
      const std::vector<std::pair<Bytes, Bytes>> rows = copy_rows(from, end);
      for (const auto& [key, value] : rows) {
        if (!row(key, value)) return Status();
      }
      if (rows.size() < kScanRows) return Status();
      from = rows.back().first + '\0';
    }
  }

  Result<std::shared_ptr<const BackendSnapshot>> snapshot() const override {
    const std::unique_lock lock(mutex_);
    return std::shared_ptr<const BackendSnapshot>(
        std::make_shared<Snapshot>(*this, history_.take()));
  }

  Status flush() override { return Status(); }
  Status compact() override { return Status(); }
  Status checkpoint(const std::string&) override {
    return Status(StatusCode::kUnsupported, "the memory engine has no files to copy");
  }
  Stats stats() const override {
    const std::shared_lock lock(mutex_);
    return {0, bytes_, 0};
  }
  std::string name() const override { return "memory"; }

 private:
  class Snapshot final : public BackendSnapshot {
   public:
    Snapshot(const MemoryBackend& backend, std::shared_ptr<const RowHistory::Layer> layer)
        : backend_(backend), layer_(std::move(layer)) {}
    Result<std::optional<Bytes>> get(BytesView key) const override {
      const std::shared_lock lock(backend_.mutex_);
      return RowHistory::find(*layer_, backend_.rows_, key);
    }

   private:
    const MemoryBackend& backend_;
    const std::shared_ptr<const RowHistory::Layer> layer_;
  };

  void erase(const Bytes& key) {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return;
    bytes_ -= found->first.size() + found->second.size() + kRowOverhead;
    rows_.erase(found);
  }

  std::vector<std::pair<Bytes, Bytes>> copy_rows(const Bytes& from, BytesView end) const {
    const std::shared_lock lock(mutex_);
    std::vector<std::pair<Bytes, Bytes>> rows;
    for (auto it = rows_.lower_bound(from); it != rows_.end() && rows.size() < kScanRows; ++it) {
      if (!end.empty() && it->first >= end) break;
      rows.emplace_back(it->first, it->second);
    }
    return rows;
  }

  mutable std::shared_mutex mutex_;
  RowHistory::Rows rows_;
  mutable RowHistory history_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<StorageBackend> make_memory_backend() { return std::make_unique<MemoryBackend>(); }

}  // namespace synod::storage
