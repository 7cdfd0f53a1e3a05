// SPDX-License-Identifier: Apache-2.0
#include "router/operation_group.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/run_record.h"
#include "storage/sim_file.h"

namespace synod::router {
namespace {

core::KvOperation operation_with(const std::string& key) {
  core::KvOperation operation;
  operation.steps.emplace_back().key = key;
  return operation;
}

base::Bytes sample_body() {
  OperationGroup group(core::LogIndex(7));
  group.add(operation_with("first"));
  group.add(core::KvOperation());
  group.add(operation_with(std::string(300, 'x')));
  return base::Bytes(group.body());
}

TEST(OperationGroup, ReadsBackWhatWasAdded) {
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  const base::Status read =
      read_operation_group(sample_body(), [&](core::LogIndex index, base::BytesView operation) {
        seen.emplace_back(index.value(), operation);
        return base::Status();
      });
  ASSERT_TRUE(read.ok()) << read.to_string();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0],
            std::make_pair(std::uint64_t{7}, core::encode_operation(operation_with("first"))));
  EXPECT_EQ(seen[1].second, core::encode_operation(core::KvOperation()));
  EXPECT_EQ(seen[2].first, 9U);
}

TEST(OperationGroup, EveryTruncationAndEveryExtraByteIsMalformed) {
  const base::Bytes body = sample_body();
  const auto ignore = [](core::LogIndex, base::BytesView) { return base::Status(); };
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(read_operation_group(base::BytesView(body).substr(0, size), ignore).ok()) << size;
  }
  EXPECT_FALSE(read_operation_group(body + "x", ignore).ok());
}

TEST(RunRecord, EveryFlippedByteIsDamage) {
  storage::SimFileSystem files(base::Random(1));
  ASSERT_TRUE(files.create_directories("/d").ok());
  EXPECT_FALSE(read_run_record(files, "/d")->has_value());
  RunRecord record;
  record.durability = Durability::kBatched;
  record.ceiling = core::Version(123'456);
  ASSERT_TRUE(write_run_record(files, "/d", record).ok());
  const auto read = read_run_record(files, "/d");
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->ceiling, record.ceiling);
  EXPECT_EQ((*read)->durability, record.durability);
  for (std::uint64_t offset = 0; offset < 28; ++offset) {
    files.corrupt("/d/RUN", offset, 0x40);
    EXPECT_EQ(read_run_record(files, "/d").status().code(), base::StatusCode::kCorruption);
    files.corrupt("/d/RUN", offset, 0x40);
  }
}

}  // namespace
}  // namespace synod::router
