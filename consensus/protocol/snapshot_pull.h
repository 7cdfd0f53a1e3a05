// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "consensus/protocol/messages.h"
#include "consensus/protocol/snapshot_task.h"

namespace synod::consensus {

struct SnapshotPullOptions {
  std::uint32_t chunk_bytes = 1U << 20U;
  std::size_t window = 4;                    ///< Requests in flight.
  Instant retry_after = base::Millis(1000);  ///< An unanswered request is sent again.
  Instant stuck_after = base::Millis(5000);  ///< Without progress: another offer may take over.
  Instant patience = base::Millis(60000);    ///< Without progress: the pull ends.
  std::uint32_t mismatches_max = 3;          ///< Of one file.
  std::size_t files_max = 100'000;           ///< Of one snapshot.
  std::uint64_t bytes_max = 1ULL << 46U;     ///< Of one snapshot, all files together.
};

/// The receiving side of a snapshot: asks a source for the files of a manifest, piece by piece,
/// and has them staged; resumes where an earlier pull of the same snapshot ended.
///
/// Owned by Replica, which knows whether an offer is of any use. Messages go out through
/// take_messages(); the files are somebody else's, who does what take_tasks() lists, in order, and
/// answers. Staging a snapshot makes every file of its manifest, also those without bytes.
///
/// A pull that makes progress is never given up for a newer snapshot: a source that takes
/// snapshots faster than a slow link carries them would keep its receiver out for ever. The source
/// keeps what is being fetched for as long (docs/PROTOCOL.md section 8).
///
/// Invariants
///   S1  what is staged of a file is a prefix of it: writes begin where the last ended, and stay
///       within the size that the manifest names;
///   S2  only bytes that are asked for and not yet there are staged: from the source of this pull,
///       for this snapshot and file, at this offset, exactly as many; a source answers in full;
///   S3  FinishStaging is given at most once in a pull, when every file has its size and checksum;
///   S4  at most `window` requests are in flight, and no more than their bytes are held;
///   S5  a pull without progress ends, says so, and leaves what is staged for another;
///   S6  a file that does not match its checksum begins anew, and ends the pull at the third time.
///
/// Threads: confined to whoever owns it. Failure: complaints are lines for the log; a pull that
/// ends without its snapshot is in kGivenUp until the next offer.
class SnapshotPull {
 public:
  enum class State : std::uint8_t {
    kIdle,       ///< Nothing was offered, or the last snapshot is installed.
    kStaging,    ///< Waits for begun().
    kPulling,    ///< Waits for data.
    kFinishing,  ///< Waits for installed().
    kGivenUp,    ///< The last pull ended without its snapshot.
  };
  struct Outgoing {
    ReplicaId to;
    Message message;
  };

  /// `first_request` is drawn at random in each process (docs/PROTOCOL.md section 3).
  SnapshotPull(const SnapshotPullOptions& options, RequestId first_request);

  /// Begins a pull; ignored while another makes progress, and if a snapshot as new is installed.
  /// A stuck pull makes way, or goes on from the new source if the snapshot is the same.
  void offer(ReplicaId from, SnapshotManifest manifest, Instant now);
  /// The staging area is there and holds so much of each file, in the order of the manifest; what
  /// the list does not reach is empty.
  void begun(SnapshotId snapshot, const std::vector<StagedFile>& staged, Instant now);
  void data(ReplicaId from, SnapshotData answer, Instant now);
  /// The state is switched over and durable: only now the source is told.
  void installed(SnapshotId snapshot);
  /// A task could not be done.
  void failed(SnapshotId snapshot);
  void tick(Instant now);
  /// The snapshot is of no use any more.
  void abandon();

  [[nodiscard]] State state() const { return state_; }
  /// What runs, or ran last.
  [[nodiscard]] const SnapshotManifest& manifest() const { return manifest_; }
  [[nodiscard]] ReplicaId source() const { return source_; }

  [[nodiscard]] std::vector<Outgoing> take_messages();
  [[nodiscard]] std::vector<SnapshotTask> take_tasks();
  [[nodiscard]] std::vector<std::string> take_complaints();

 private:
  /// A part of the current file that was asked for.
  struct Piece {
    RequestId id;
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    Instant sent{};
    std::optional<base::Bytes> arrived;
  };

  [[nodiscard]] bool runs(SnapshotId snapshot) const;
  [[nodiscard]] bool is_stuck(Instant now) const;
  [[nodiscard]] bool take_over(ReplicaId from, const SnapshotManifest& manifest, Instant now);
  void stage_arrived(Instant now);
  void go_on(Instant now);
  void fill_window(Instant now);
  void ask(Piece& piece, Instant now);
  /// False if the pull ended over it.
  [[nodiscard]] bool restart_file();
  void finish();
  void tell_source(bool is_installed);
  void give_up(const std::string& why);
  void complain(const std::string& what);

  SnapshotPullOptions options_;
  RequestId next_request_;
  State state_ = State::kIdle;

  // Of the pull that runs.
  ReplicaId source_;
  SnapshotManifest manifest_;
  std::vector<StagedFile> staged_;
  std::uint32_t file_ = 0;        ///< The one being pulled; those before it are done.
  std::uint32_t mismatches_ = 0;  ///< Of that file.
  std::uint64_t asked_ = 0;       ///< Of that file: everything before it is staged or a piece.
  std::deque<Piece> pieces_;      ///< In order and without gaps, from what is staged to asked_.
  Instant progress_{};            ///< When something was staged last.

  Slot installed_;
  std::vector<Outgoing> messages_;
  std::vector<SnapshotTask> tasks_;
  std::vector<std::string> complaints_;
};

/// Null, or why nobody should pull this: files that are too many, too large, unnamed, of one name,
/// or named so that they would be somewhere else.
[[nodiscard]] const char* manifest_fault(const SnapshotManifest& manifest,
                                         const SnapshotPullOptions& options);

}  // namespace synod::consensus
