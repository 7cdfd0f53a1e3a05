// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strong_id.h"
#include "storage/file.h"
#include "storage/log/log_observer.h"

namespace synod::storage {

/// Position of a frame; consecutive from 1, so that a missing frame is noticed.
using FrameSeq = base::StrongId<struct FrameSeqTag, std::uint64_t>;

/// Numbers kept free where an unknown number of frames is lost: more than fit into any segment.
inline constexpr std::uint64_t kLostFrames = std::uint64_t{1} << 32;

/// 16 random bytes that say whose log this is; stored in every segment header.
using LogIdentity = std::array<char, 16>;

/// What open does about frames that cannot be read.
enum class DamagePolicy : std::uint8_t {
  kRefuse,  ///< Writes nothing and returns no log.
  kReport,  ///< Goes on behind the damage; every later open reports it again (G6).
};

struct LogOptions {
  std::uint64_t segment_bytes = 64U << 20;    ///< A segment is zero-filled to this before use.
  std::uint64_t frame_bytes_max = 64U << 20;  ///< A larger body is refused with kLimitExceeded.
  DamagePolicy damage = DamagePolicy::kRefuse;
  LogObserver* observer = nullptr;  ///< Outlives the log.
};

/// One frame as recovery found it. `summary` and `body` are the owner's; they live only during the
/// callback.
struct LogFrame {
  FrameSeq seq;
  base::BytesView summary;
  base::BytesView body;
};

/// Why a frame could not be read. `first`..`last` are the sequence numbers that are lost.
struct LogDamage {
  FrameSeq first;
  FrameSeq last;  ///< UINT64_MAX: an unknown number of frames up to the end.
  std::string file;
  std::uint64_t offset = 0;  ///< Of the bad frame in that file.
  std::string reason;
  base::Bytes summary;  ///< The frame's own summary, or its copy in the next frame; else empty.
};

struct LogRecovery {
  std::uint64_t frames = 0;
  bool torn_tail = false;          ///< A never-acknowledged last frame was dropped.
  std::vector<LogDamage> damages;  ///< Empty in a healthy log.
};

/// A log of frames over segments: one frame, one write, one sync.
///
/// Grammar of the files and the rules by which recovery tells a torn frame (never acknowledged:
/// dropped) from a corrupt one (reported) stand at the head of storage/log/format.h.
///
/// Invariants
///   G1  A frame survives whole once `sync` returned ok, or is never seen at all.
///   G2  No block is rewritten after its sync: every frame starts on a fresh block.
///   G3  Sequence numbers are consecutive; a gap is damage, never silence.
///   G4  Every process starts a new segment, so bytes behind the last good frame stay dead.
///   G5  Frames read at open are made durable again before the first append is acknowledged.
///   G6  Under kReport the numbers of lost frames are never given out again, so the gap is found by
///       every open until the segments around it are deleted. Where nobody knows how many frames
///       are lost, 2^32 numbers stay free for them.
///
/// Threads: `append`, `sync` and `delete_before` on one thread; `prepare_segment` may run on
/// another. Failure: any write or sync error poisons the log (every later call returns it); the
/// owner fail-stops.
class SegmentedLog {
 public:
  virtual ~SegmentedLog() = default;

  /// Writes one frame; not durable before `sync`. `body` pieces are concatenated. `summary` is a
  /// few bytes (<= 512) that stay readable when the body is damaged, repeated in the next frame.
  [[nodiscard]] virtual base::Result<FrameSeq> append(base::BytesView summary,
                                                      std::span<const base::BytesView> body) = 0;
  [[nodiscard]] virtual base::Status sync() = 0;
  /// The number the next frame gets.
  [[nodiscard]] virtual FrameSeq next_seq() const = 0;
  /// The first frame still present (== next_seq() if none).
  [[nodiscard]] virtual FrameSeq first_seq() const = 0;
  /// Removes whole segments that hold only frames before `seq`; never the active one.
  [[nodiscard]] virtual base::Status delete_before(FrameSeq seq) = 0;
  /// Makes the following segment ready (created, zero-filled, synced) so that rotation is a swap.
  [[nodiscard]] virtual base::Status prepare_segment() = 0;
  /// True while no segment is ready behind the active one. Any thread.
  [[nodiscard]] virtual bool needs_segment() const = 0;
  /// Bytes of all segments on disk.
  [[nodiscard]] virtual std::uint64_t disk_bytes() const = 0;
  /// Re-reads every sealed segment from the medium and reports what is no longer intact.
  [[nodiscard]] virtual base::Result<std::vector<LogDamage>> scrub() const = 0;
};

struct OpenedLog {
  std::unique_ptr<SegmentedLog> log;
  LogRecovery recovery;
};

/// Opens the log in `directory` (created if absent), calls `frame` for every good frame in order,
/// then starts a new segment. With damage and DamagePolicy::kRefuse nothing is written and `log` is
/// null; under kReport the good frames are made durable and the log goes on: a frame lies before or
/// behind a damage as its number does. `first_seq_if_empty` numbers the first frame of an empty
/// log, and is the least number of the next one if the end of the log is lost.
/// kCorruption: a header of another log, version or identity.
[[nodiscard]] base::Result<OpenedLog> open_segmented_log(
    FileSystem& files, const std::string& directory, const LogIdentity& identity,
    const LogOptions& options, base::Random random, FrameSeq first_seq_if_empty,
    base::Function<base::Status(const LogFrame&)> frame);

/// Reads without writing anything, for offline tools: every good frame, every damage.
[[nodiscard]] base::Result<LogRecovery> inspect_log(
    FileSystem& files, const std::string& directory,
    base::Function<base::Status(const LogFrame&)> frame);

}  // namespace synod::storage
