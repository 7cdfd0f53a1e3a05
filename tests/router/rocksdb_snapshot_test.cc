// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <unistd.h>

#include <map>

#include "base/text.h"
#include "router/snapshot_files.h"
#include "tests/router/machine_rig.h"

namespace synod::router {
namespace {

using consensus::SnapshotManifest;

/// Notes the last position only.
class LastSlot final : public ApplyListener {
 public:
  void on_executed(const CommandId&, consensus::Slot, core::ExecutionResult&) override {}
  void on_fenced(const CommandId&, consensus::Slot) override {}
  void on_hash_mark(const CommandId&, consensus::Slot, const core::StateHash&) override {}
  void on_fence(const consensus::Ballot&, consensus::Slot) override {}
  void on_skipped(const consensus::StateLabel& label) override { skipped_to = label.applied; }
  consensus::Slot skipped_to;
};

/// A machine over RocksDB and real files, its threads on a simulated loop.
class RocksMachine {
 public:
  RocksMachine(base::SimLoop& loop, const DecidedLog& log, std::string directory)
      : loop_(loop),
        log_(log),
        directory_(std::move(directory)),
        files_(storage::make_posix_file_system()),
        apply_(loop.add_dispatcher()),
        persistence_(loop.add_dispatcher()),
        storage_(loop.add_dispatcher()) {
    EXPECT_TRUE(storage::remove_tree(*files_, directory_).ok());
  }
  ~RocksMachine() {
    if (machine_ != nullptr) close();
    EXPECT_TRUE(storage::remove_tree(*files_, directory_).ok());
  }
  base::Status open(const std::string& active) {
    StateMachineOptions options;
    options.directory = directory_;
    options.active = active;
    if (active == "db") options.first_chain = log_.first_chain();
    SYNOD_ASSIGN_OR_RETURN(
        machine_,
        ReplicatedStateMachine::open(
            {*files_, apply_, persistence_, storage_, loop_.random().fork(),
             [](const std::string& path) { return storage::open_rocksdb_backend(path, {}); }},
            options));
    machine_->set_listener(listener);
    return {};
  }
  void close() {
    loop_.run_for(std::chrono::seconds(1));
    EXPECT_TRUE(machine_->close().ok());
    machine_.reset();
  }
  void apply_until(std::uint64_t last) {
    bool is_done = false;
    machine_->apply(log_.slots(machine_->label().applied.value() + 1, last), log_.label(last),
                    [&](auto results) { is_done = results.ok(); });
    EXPECT_TRUE(loop_.run_until_done([&] { return is_done; }));
  }
  template <class Value, class Call>
  Value wait(Call call) {
    std::optional<Value> answer;
    call([&answer](Value value) { answer.emplace(std::move(value)); });
    EXPECT_TRUE(loop_.run_until_done([&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  bool agrees_with_log() const {
    const auto label = machine_->label();
    return is_same_label(label, log_.label(label.applied.value())) &&
           machine_->image()->database->hash() == log_.hash(label.applied.value());
  }
  ReplicatedStateMachine& machine() { return *machine_; }
  storage::FileSystem& files() { return *files_; }
  const std::string& directory() const { return directory_; }

  LastSlot listener;

 private:
  base::SimLoop& loop_;
  const DecidedLog& log_;
  const std::string directory_;
  std::unique_ptr<storage::FileSystem> files_;
  base::SimDispatcher& apply_;
  base::SimDispatcher& persistence_;
  base::SimDispatcher& storage_;
  std::unique_ptr<ReplicatedStateMachine> machine_;
};

void pull(RocksMachine& source, RocksMachine& target, const SnapshotManifest& manifest) {
  auto staged = target.wait<base::Result<std::vector<consensus::StagedFile>>>(
      [&](auto done) { target.machine().begin_staging(manifest, done); });
  ASSERT_TRUE(staged.ok());
  for (std::uint32_t file = 0; file < manifest.files.size(); ++file) {
    for (std::uint64_t offset = 0; offset < manifest.files[file].bytes;) {
      const auto part = source.wait<std::optional<base::Bytes>>([&](auto done) {
        source.machine().read_snapshot(
            {consensus::ReplicaId(2), {}, manifest.id, file, offset, 1U << 12}, done);
      });
      ASSERT_TRUE(part.has_value());
      ASSERT_TRUE(target
                      .wait<base::Status>([&](auto done) {
                        target.machine().stage({manifest.id, file, offset, *part}, done);
                      })
                      .ok());
      offset += part->size();
    }
  }
}

TEST(RocksdbSnapshot, IsReadWithoutChangeAndInstalledElsewhere) {
  DecidedLog log;
  log.random_entries(21, 400);
  base::SimLoop loop(21);
  const std::string base = base::concat("machine-", ::getpid());
  RocksMachine source(loop, log, base + "-source");
  RocksMachine target(loop, log, base + "-target");
  ASSERT_TRUE(source.open("db").ok());
  ASSERT_TRUE(target.open("db").ok());
  source.apply_until(300);
  const auto manifest = source.wait<base::Result<SnapshotManifest>>(
      [&](auto done) { source.machine().take_snapshot(done); });
  ASSERT_TRUE(manifest.ok()) << manifest.status().to_string();
  EXPECT_EQ(manifest->slot.value(), 300U);
  source.apply_until(350);
  // Reading the label left the files as the manifest says, and added none.
  const std::string files =
      base::concat(source.directory(), "/snap/", id_name(manifest->id.value()), "/db");
  ASSERT_TRUE(read_label(*source.machine().image()->backend, files).ok());
  EXPECT_EQ(source.files().list(files)->size(), manifest->files.size());
  pull(source, target, *manifest);
  const auto image = target.wait<base::Result<consensus::StagedImage>>(
      [&](auto done) { target.machine().finish_staging(*manifest, done); });
  ASSERT_TRUE(image.ok()) << image.status().to_string();
  const auto switched =
      target.wait<base::Status>([&](auto done) { target.machine().switch_state(*image, done); });
  ASSERT_TRUE(switched.ok()) << switched.to_string();
  EXPECT_EQ(target.listener.skipped_to.value(), 300U);
  EXPECT_TRUE(target.agrees_with_log());
  target.apply_until(log.size());
  target.close();
  EXPECT_FALSE(target.files().exists(target.directory() + "/db"));
  ASSERT_TRUE(target.open(image->directory).ok());
  EXPECT_EQ(target.machine().label().applied.value(), log.size());
  EXPECT_TRUE(target.agrees_with_log());
}

}  // namespace
}  // namespace synod::router
