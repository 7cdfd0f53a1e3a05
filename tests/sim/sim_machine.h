// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/runtime/state_machine.h"
#include "storage/file.h"
#include "tests/sim/oracle.h"
#include "tests/sim/register_state.h"
#include "tests/sim/tally.h"

namespace synod::sim {

/// A RegisterState with its label in files.
///
/// Every directory holds one state: `label`, `values`, `tokens`, `filler`, and perhaps a newer
/// `state` with everything in one, which is what a flush replaces. The directory that the
/// superblock names is the state; `snap-*` are own snapshots, `stage-*` those that are pulled.
///
/// Owned by the process of a node; dies with it. Threads: the simulator has one.
class SimMachine final : public consensus::StateMachine {
 public:
  struct Context {
    storage::FileSystem& files;
    Oracle& oracle;
    Tally& tally;
    Member self;
    std::string root;
    std::size_t filler_bytes = 0;
    double transit_rot = 0;  ///< How often a piece of a snapshot that is sent is not what was read.
  };
  /// kNotFound, kCorruption or an I/O error: this disk has no state.
  [[nodiscard]] static base::Result<std::unique_ptr<SimMachine>> open(Context context,
                                                                      std::string directory,
                                                                      base::Random random);
  /// The empty state of a new group or a new learner.
  [[nodiscard]] static base::Status format(Context& context, const std::string& directory,
                                           const consensus::StateLabel& label);

  [[nodiscard]] consensus::StateLabel label() const override { return image_.label; }
  [[nodiscard]] Slot durable_applied() const override { return flushed_; }
  [[nodiscard]] std::optional<consensus::SnapshotManifest> newest_snapshot() const override;
  void apply(std::vector<consensus::Delivery> deliveries, const consensus::StateLabel& after,
             Done<base::Result<std::vector<base::Bytes>>> done) override;
  void flush(Done<base::Status> done) override;
  void take_snapshot(Done<base::Result<consensus::SnapshotManifest>> done) override;
  void keep_snapshot(const consensus::KeepSnapshot& keep) override;
  void read_snapshot(const consensus::ReadSnapshot& request,
                     Done<std::optional<base::Bytes>> done) override;
  void release_snapshot(const consensus::ReleaseSnapshot& release) override;
  void begin_staging(const consensus::SnapshotManifest& manifest,
                     Done<base::Result<std::vector<consensus::StagedFile>>> done) override;
  void stage(const consensus::StageBytes& bytes, Done<base::Status> done) override;
  void restart_file(const consensus::RestartFile& file, Done<base::Status> done) override;
  void finish_staging(const consensus::SnapshotManifest& manifest,
                      Done<base::Result<consensus::StagedImage>> done) override;
  void discard_staging(consensus::SnapshotId snapshot) override;
  void switch_state(const consensus::StagedImage& image, Done<base::Status> done) override;

  /// Of the snapshot that is being pulled.
  [[nodiscard]] std::uint64_t pieces_staged() const { return pieces_staged_; }
  /// What of a pulled snapshot lies on this disk, for who wants to damage it.
  [[nodiscard]] static std::vector<std::string> staged_paths(storage::FileSystem& files,
                                                             const std::string& root);

  [[nodiscard]] Slot applied() const { return image_.label.applied; }
  [[nodiscard]] std::uint64_t value(std::size_t key) const { return image_.state.value(key); }
  [[nodiscard]] std::uint64_t digest() const { return image_.state.digest(); }
  [[nodiscard]] std::uint64_t history() const { return image_.history; }
  /// Paths of the files of own snapshots, for who wants to damage them.
  [[nodiscard]] std::vector<std::string> snapshot_paths() const;

 private:
  struct Image {
    consensus::StateLabel label;
    RegisterState state;
    std::uint64_t history = 0;
  };
  SimMachine(Context context, std::string directory, base::Random random);

  [[nodiscard]] std::string path(const std::string& directory) const;
  [[nodiscard]] static base::Bytes encode_head(const Image& image);
  [[nodiscard]] static base::Status decode_head(base::BytesView bytes, Image& image);
  [[nodiscard]] static base::Bytes encode(const Image& image);
  [[nodiscard]] static base::Status decode(base::BytesView bytes, Image& image);
  [[nodiscard]] base::Status load(const std::string& directory, Image& image) const;
  [[nodiscard]] base::Status load_snapshots();
  /// `is_trusted`: somebody else has compared the files with their checksums.
  [[nodiscard]] base::Result<consensus::SnapshotManifest> read_manifest(
      const std::string& directory, consensus::SnapshotId id, Image& image,
      bool is_trusted = false) const;
  [[nodiscard]] std::size_t filler_size(Slot slot) const;
  void check_filler(const std::string& directory, Slot slot) const;
  void damage(base::Bytes& piece);
  [[nodiscard]] base::Result<consensus::SnapshotManifest> write_snapshot();
  [[nodiscard]] base::Status write_file(const std::string& directory, const std::string& name,
                                        base::BytesView bytes) const;
  void remove_old_snapshots();
  void remove_directory(const std::string& directory) const;
  [[nodiscard]] base::Result<std::vector<consensus::StagedFile>> stage_begin(
      const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status stage_bytes(const consensus::StageBytes& bytes);
  [[nodiscard]] base::Result<consensus::StagedImage> stage_finish(
      const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Bytes execute(const consensus::Delivery& delivery);

  Context context_;
  std::string directory_;
  base::Random random_;
  Image image_;
  Slot flushed_;
  std::map<std::string, consensus::SnapshotManifest> snapshots_;  ///< By directory.
  std::map<std::string, std::set<ReplicaId>> readers_;
  std::optional<consensus::SnapshotManifest> staging_;
  std::uint64_t pieces_staged_ = 0;
};

}  // namespace synod::sim
