// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/measured_backend.h"

#include <algorithm>
#include <utility>

namespace synod::server {
namespace {

using base::BytesView;
using base::Status;
using storage::StorageBackend;

/// Hands everything on.
class MeasuredBackend final : public StorageBackend {
 public:
  MeasuredBackend(std::unique_ptr<StorageBackend> backend, StorageMetrics& metrics)
      : backend_(std::move(backend)), metrics_(metrics) {}

  Status write(const storage::WriteBatch& batch) override {
    const base::Nanos began = metrics_.clock().boot_time();
    Status status = backend_->write(batch);
    metrics_.on_write(metrics_.clock().boot_time() - began);
    return status;
  }
  base::Result<std::optional<base::Bytes>> get(BytesView key) const override {
    return backend_->get(key);
  }
  base::Result<std::optional<base::Bytes>> get_durable(BytesView key) const override {
    return backend_->get_durable(key);
  }
  Status scan(BytesView begin, BytesView end,
              base::Function<bool(BytesView key, BytesView value)> row) const override {
    return backend_->scan(begin, end, std::move(row));
  }
  base::Result<std::shared_ptr<const storage::BackendSnapshot>> snapshot() const override {
    return backend_->snapshot();
  }
  Status flush() override { return backend_->flush(); }
  Status compact() override { return backend_->compact(); }
  void interrupt() override { backend_->interrupt(); }
  Status checkpoint(const std::string& directory) override {
    return backend_->checkpoint(directory);
  }
  base::Result<std::vector<std::optional<base::Bytes>>> read_checkpoint(
      const std::string& directory, const std::vector<base::Bytes>& keys) const override {
    return backend_->read_checkpoint(directory, keys);
  }
  /// The store looks at them several times in a second, on the thread that may.
  Stats stats() const override {
    const Stats stats = backend_->stats();
    if (backend_->name() == "rocksdb") metrics_.on_stats(stats);
    return stats;
  }
  std::string name() const override { return backend_->name(); }

 private:
  const std::unique_ptr<StorageBackend> backend_;
  StorageMetrics& metrics_;
};

}  // namespace

StorageMetrics::StorageMetrics(StoreSeries& series, const base::Clock& clock)
    : clock_(clock),
      writes_(series.distribution("storage_write_duration_seconds",
                                  "Time to hand one batch to the storage engine.",
                                  base::BucketLayout::durations())) {}

void StorageMetrics::on_write(base::Nanos duration) {
  writes_.record(static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)));
}

void StorageMetrics::on_stats(const StorageBackend::Stats& stats) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
}

std::optional<StorageBackend::Stats> StorageMetrics::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::unique_ptr<StorageBackend> measure(std::unique_ptr<StorageBackend> backend,
                                        StorageMetrics& metrics) {
  return std::make_unique<MeasuredBackend>(std::move(backend), metrics);
}

}  // namespace synod::server
