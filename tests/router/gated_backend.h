// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/storage_backend.h"

namespace synod::router {

/// A backend that can be told to refuse writes, as a full disk does.
class GatedBackend final : public storage::StorageBackend {
 public:
  GatedBackend(std::unique_ptr<StorageBackend> inner, std::shared_ptr<bool> is_refusing)
      : inner_(std::move(inner)), is_refusing_(std::move(is_refusing)) {}
  base::Status write(const storage::WriteBatch& batch) override {
    if (*is_refusing_) return base::Status(base::StatusCode::kNoSpace, "the disk is full");
    return inner_->write(batch);
  }
  base::Result<std::optional<base::Bytes>> get(base::BytesView key) const override {
    return inner_->get(key);
  }
  base::Result<std::optional<base::Bytes>> get_durable(base::BytesView key) const override {
    return inner_->get_durable(key);
  }
  base::Status scan(base::BytesView begin, base::BytesView end,
                    base::Function<bool(base::BytesView, base::BytesView)> row) const override {
    return inner_->scan(begin, end, std::move(row));
  }
  base::Result<std::shared_ptr<const storage::BackendSnapshot>> snapshot() const override {
    return inner_->snapshot();
  }
  base::Status flush() override { return inner_->flush(); }
  base::Status compact() override { return inner_->compact(); }
  base::Status checkpoint(const std::string& directory) override {
    return inner_->checkpoint(directory);
  }
  base::Result<std::vector<std::optional<base::Bytes>>> read_checkpoint(
      const std::string& directory, const std::vector<base::Bytes>& keys) const override {
    return inner_->read_checkpoint(directory, keys);
  }
  Stats stats() const override { return inner_->stats(); }
  std::string name() const override { return inner_->name(); }

 private:
  std::unique_ptr<StorageBackend> inner_;
  std::shared_ptr<bool> is_refusing_;
};

}  // namespace synod::router
