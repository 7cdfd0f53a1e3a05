// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/kv_service_core.h"
#include "core/transactional_kv_database.h"
#include "storage/storage_backend.h"

namespace synod::core {

inline Step set_step(std::string key, std::string value, std::int64_t ttl_ms = 0,
                     std::string ns = {}) {
  Step step;
  step.kind = StepKind::kSet;
  step.ns = std::move(ns);
  step.key = std::move(key);
  step.value = std::move(value);
  step.ttl_ms = ttl_ms;
  return step;
}

inline Step step_on(StepKind kind, std::string key, std::string ns = {}) {
  Step step;
  step.kind = kind;
  step.ns = std::move(ns);
  step.key = std::move(key);
  return step;
}

inline KvOperation commit_of(std::vector<Step> steps) {
  KvOperation operation;
  operation.steps = std::move(steps);
  return operation;
}

/// A database over a memory backend, with the log position and the clock of its operations.
class Store {
 public:
  explicit Store(const Policy& policy = Policy(), const DatabaseOptions& options = {})
      : options_(options), backend_(storage::make_memory_backend()) {
    open();
    KvOperation first;
    first.kind = OperationKind::kPolicy;
    first.policy = policy;
    EXPECT_TRUE(run(std::move(first)).ok());
  }

  Outcome run(KvOperation operation) {
    operation.stamp = TimeMs(now_ms);
    return core_->execute(LogIndex(++index_), operation).outcome;
  }
  Outcome commit(std::vector<Step> steps) { return run(commit_of(std::move(steps))); }
  Outcome tick(std::int64_t by_ms) {
    now_ms += by_ms;
    KvOperation operation;
    operation.kind = OperationKind::kTick;
    return run(std::move(operation));
  }

  void persist() {
    database_->seal();
    const WriteBehind::Batch batch = database_->write_behind().take();
    if (batch.last == LogIndex(0)) return;
    EXPECT_TRUE(backend_->write(batch.rows).ok());
    ColdValues& cold = database_->cold_values();
    if (!cold.is_wanted() || batch.version == cold.covered()) return;
    cold.add(batch.version, *backend_->snapshot());
    cold.release();
  }
  /// What a restart does: everything in memory is gone.
  void reopen() {
    persist();
    open();
    const auto loaded = database_->load(*backend_);
    ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
    ASSERT_EQ(loaded->value(), index_);
  }
  void put_row(const base::Bytes& key, const std::optional<base::Bytes>& value) {
    storage::WriteBatch batch;
    if (value) {
      batch.put(key, *value);
    } else {
      batch.erase(key);
    }
    EXPECT_TRUE(backend_->write(batch).ok());
  }
  [[nodiscard]] std::vector<std::pair<base::Bytes, base::Bytes>> rows() const {
    std::vector<std::pair<base::Bytes, base::Bytes>> rows;
    EXPECT_TRUE(backend_
                    ->scan({}, {},
                           [&](base::BytesView key, base::BytesView value) {
                             rows.emplace_back(key, value);
                             return true;
                           })
                    .ok());
    return rows;
  }

  [[nodiscard]] TransactionalKvDatabase& database() { return *database_; }
  [[nodiscard]] KvServiceCore& core() { return *core_; }
  [[nodiscard]] storage::StorageBackend& backend() { return *backend_; }
  [[nodiscard]] Version newest() { return database_->state().newest_version(); }

  std::int64_t now_ms = 1'000;

 private:
  void open() {
    core_.reset();
    database_ = std::make_unique<TransactionalKvDatabase>(options_);
    core_ = std::make_unique<KvServiceCore>(*database_);
  }

  const DatabaseOptions options_;
  std::unique_ptr<storage::StorageBackend> backend_;
  std::unique_ptr<TransactionalKvDatabase> database_;
  std::unique_ptr<KvServiceCore> core_;
  std::uint64_t index_ = 0;
};

}  // namespace synod::core
