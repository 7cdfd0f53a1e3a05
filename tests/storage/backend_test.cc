// SPDX-License-Identifier: Apache-2.0
// What every engine behind the tables must do.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/random.h"
#include "storage/file.h"
#include "storage/sim_file.h"
#include "storage/storage_backend.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::StatusCode;

WriteBatch batch_of(const std::vector<std::pair<Bytes, std::optional<Bytes>>>& rows) {
  WriteBatch batch;
  for (const auto& [key, value] : rows) {
    if (value) {
      batch.put(key, *value);
    } else {
      batch.erase(key);
    }
  }
  return batch;
}

enum class Engine { kRocksdb, kRocksdbOverFile, kRocksdbOverSim, kLeveldb, kMemory };

std::string engine_name(const testing::TestParamInfo<Engine>& info) {
  switch (info.param) {
    case Engine::kRocksdb:
      return "Rocksdb";
    case Engine::kRocksdbOverFile:
      return "RocksdbOverFile";
    case Engine::kRocksdbOverSim:
      return "RocksdbOverSim";
    case Engine::kLeveldb:
      return "Leveldb";
    case Engine::kMemory:
      return "Memory";
  }
  return "";
}

class BackendConformance : public testing::TestWithParam<Engine> {
 protected:
  BackendConformance() {
    std::string pattern = testing::TempDir() + "/synod-backend-XXXXXX";
    SYNOD_ASSERT(::mkdtemp(pattern.data()) != nullptr, "the test needs a directory");
    root_ = pattern;
    directory_ = root_ + "/db";
    backend_ = open(directory_);
  }
  ~BackendConformance() override {
    backend_.reset();
    std::filesystem::remove_all(root_);
  }

  std::unique_ptr<StorageBackend> open(const std::string& directory) {
    const BackendOptions options{.write_buffer_bytes = 8 << 20, .block_cache_bytes = 1 << 20};
    auto result = [&] {
      switch (GetParam()) {
        case Engine::kRocksdb:
          return open_rocksdb_backend(directory, options);
        case Engine::kRocksdbOverFile:
          return open_rocksdb_backend(directory, options, posix_.get());
        case Engine::kRocksdbOverSim:
          return open_rocksdb_backend(directory, options, &sim_);
        case Engine::kLeveldb:
          return open_leveldb_backend(directory, options);
        case Engine::kMemory:
          break;
      }
      return base::Result<std::unique_ptr<StorageBackend>>(make_memory_backend());
    }();
    EXPECT_TRUE(result.ok()) << result.status().to_string();
    return result.ok() ? std::move(*result) : nullptr;
  }

  void put(const Bytes& key, const Bytes& value) {
    ASSERT_TRUE(backend_->write(batch_of({{key, value}})).ok());
  }
  std::map<Bytes, Bytes> rows(StorageBackend& backend, BytesView begin = {}, BytesView end = {}) {
    std::map<Bytes, Bytes> all;
    EXPECT_TRUE(backend
                    .scan(begin, end,
                          [&all](BytesView key, BytesView value) {
                            EXPECT_TRUE(all.empty() || all.rbegin()->first < key);
                            all.emplace(key, value);
                            return true;
                          })
                    .ok());
    return all;
  }
  bool persists() const { return GetParam() != Engine::kMemory; }

  std::unique_ptr<FileSystem> posix_ = make_posix_file_system();
  SimFileSystem sim_{base::Random(1)};
  std::string root_;
  std::string directory_;
  std::unique_ptr<StorageBackend> backend_;
};

TEST_P(BackendConformance, AppliesPutsAndDeletesOfABatchInOrder) {
  put("a", "1");
  ASSERT_TRUE(
      backend_->write(batch_of({{"a", std::nullopt}, {"b", "2"}, {"c", "3"}, {"c", std::nullopt}}))
          .ok());
  EXPECT_EQ(backend_->get("a").value(), std::nullopt);
  EXPECT_EQ(backend_->get("b").value(), "2");
  EXPECT_EQ(backend_->get("c").value(), std::nullopt);
}

TEST_P(BackendConformance, KeepsEmptyAndBinaryKeysAndValues) {
  const Bytes binary("\0\xff\0key", 6);
  put("", "empty key");
  put(binary, "");
  EXPECT_EQ(backend_->get("").value(), "empty key");
  EXPECT_EQ(backend_->get(binary).value(), "");
}

TEST_P(BackendConformance, ScansLikeAMap) {
  base::Random random(5);
  std::map<Bytes, Bytes> model;
  for (int i = 0; i < 100; ++i) {
    WriteBatch batch;
    for (int j = 0; j < 20; ++j) {
      const Bytes key = std::to_string(random.below(700));
      if (random.chance(0.3)) {
        model.erase(key);
        batch.erase(key);
      } else {
        model[key] = std::to_string(i);
        batch.put(key, std::to_string(i));
      }
    }
    ASSERT_TRUE(backend_->write(batch).ok());
  }
  EXPECT_EQ(rows(*backend_), model);
  EXPECT_EQ(rows(*backend_, "2", "5"),
            (std::map<Bytes, Bytes>(model.lower_bound("2"), model.lower_bound("5"))));
  int calls = 0;
  ASSERT_TRUE(backend_->scan({}, {}, [&calls](BytesView, BytesView) { return ++calls < 7; }).ok());
  EXPECT_EQ(calls, 7);
}

TEST_P(BackendConformance, ASnapshotShowsWhatWasThereWhateverIsWrittenLater) {
  struct Taken {
    std::shared_ptr<const BackendSnapshot> snapshot;
    std::map<Bytes, Bytes> rows;
  };
  base::Random random(11);
  std::map<Bytes, Bytes> model;
  std::vector<Taken> taken;
  for (int i = 0; i < 60; ++i) {
    WriteBatch batch;
    for (int j = 0; j < 8; ++j) {
      const Bytes key = std::to_string(random.below(40));
      if (random.chance(0.3)) {
        model.erase(key);
        batch.erase(key);
      } else {
        model[key] = Bytes(1 + random.below(30), static_cast<char>('a' + i % 26));
        batch.put(key, model[key]);
      }
    }
    ASSERT_TRUE(backend_->write(batch).ok());
    if (i % 20 == 19) EXPECT_EQ(backend_->flush().code(), StatusCode::kOk);
    if (random.chance(0.4)) {
      auto snapshot = backend_->snapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.status().to_string();
      taken.push_back({std::move(*snapshot), model});
    }
    // They end in any order.
    if (taken.size() > 5) {
      taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(random.below(taken.size())));
    }
    for (const Taken& one : taken) {
      const Bytes key = std::to_string(random.below(40));
      const auto row = one.rows.find(key);
      EXPECT_EQ(one.snapshot->get(key).value(),
                row == one.rows.end() ? std::nullopt : std::optional(row->second))
          << key << " after write " << i;
    }
  }
}

TEST_P(BackendConformance, AnswersDurablyOnlyWhatIsDurable) {
  put("k", "old");
  ASSERT_TRUE(backend_->flush().ok());
  put("k", "new");
  put("other", "1");
  const auto durable = backend_->get_durable("k").value();
  if (!persists()) {
    EXPECT_EQ(durable, std::nullopt);
    return;
  }
  EXPECT_EQ(durable, GetParam() == Engine::kLeveldb ? "new" : "old");
  ASSERT_TRUE(backend_->flush().ok());
  EXPECT_EQ(backend_->get_durable("k").value(), "new");
  EXPECT_EQ(backend_->get_durable("other").value(), "1");
  EXPECT_EQ(backend_->get_durable("none").value(), std::nullopt);
}

TEST_P(BackendConformance, FindsEverythingAfterACleanStop) {
  for (int i = 450; i < 500; ++i) put(std::to_string(i), Bytes(100, 'v'));
  const auto before = rows(*backend_);
  backend_.reset();
  backend_ = open(directory_);
  EXPECT_EQ(rows(*backend_).size(), persists() ? before.size() : 0U);
  EXPECT_EQ(backend_->get_durable("499").value(),
            persists() ? std::optional<Bytes>(Bytes(100, 'v')) : std::nullopt);
}

TEST_P(BackendConformance, CheckpointHoldsWhatWasWrittenSoFar) {
  for (int i = 0; i < 50; ++i) put(std::to_string(i), "v");
  const std::string copy = root_ + "/copy";
  const auto before = rows(*backend_);
  const base::Status status = backend_->checkpoint(copy);
  if (!persists()) {
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    return;
  }
  ASSERT_TRUE(status.ok()) << status.to_string();
  put("later", "1");
  EXPECT_EQ(rows(*open(copy)), before);
  EXPECT_FALSE(backend_->checkpoint(copy).ok()) << "an existing directory is not overwritten";
}

TEST_P(BackendConformance, CompactKeepsTheRowsThatAreLeft) {
  for (int i = 340; i < 400; ++i) put(std::to_string(i), Bytes(1000, 'v'));
  ASSERT_TRUE(backend_->flush().ok());
  for (int i = 340; i < 399; ++i) {
    ASSERT_TRUE(backend_->write(batch_of({{std::to_string(i), std::nullopt}})).ok());
  }
  ASSERT_TRUE(backend_->flush().ok());
  ASSERT_TRUE(backend_->compact().ok());
  EXPECT_EQ(rows(*backend_), (std::map<Bytes, Bytes>{{"399", Bytes(1000, 'v')}}));
  EXPECT_FALSE(backend_->name().empty());
  EXPECT_GT(backend_->stats().memory_bytes + backend_->stats().disk_bytes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Engines, BackendConformance,
                         testing::Values(Engine::kRocksdb, Engine::kRocksdbOverFile,
                                         Engine::kRocksdbOverSim, Engine::kLeveldb,
                                         Engine::kMemory),
                         engine_name);

}  // namespace
}  // namespace synod::storage
