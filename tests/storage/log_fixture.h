// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "storage/log/segmented_log.h"
#include "storage/sim_file.h"

namespace synod::storage {

inline constexpr LogIdentity kTestIdentity = {'t', 'e', 's', 't', ' ', 'l', 'o', 'g'};
inline constexpr const char* kLogDirectory = "/log";

struct SeenFrame {
  std::uint64_t seq = 0;
  std::string summary;
  std::string body;
  bool operator==(const SeenFrame&) const = default;
};

inline void PrintTo(const SeenFrame& frame, std::ostream* out) {
  *out << frame.seq << ":" << frame.summary << ":" << frame.body.size();
}

/// An opened log with what recovery delivered.
struct TestLog {
  base::Status status;
  std::unique_ptr<SegmentedLog> log;
  LogRecovery recovery;
  std::vector<SeenFrame> frames;
};

inline LogOptions small_segments(std::uint64_t bytes = 64 << 10) {
  return {.segment_bytes = bytes, .frame_bytes_max = 1 << 20};
}

inline TestLog open_log(FileSystem& files, const LogOptions& options = small_segments(),
                        std::uint64_t seed = 1, const LogIdentity& identity = kTestIdentity) {
  TestLog opened;
  auto result =
      open_segmented_log(files, kLogDirectory, identity, options, base::Random(seed), FrameSeq(1),
                         [&opened](const LogFrame& frame) {
                           opened.frames.push_back({frame.seq.value(), std::string(frame.summary),
                                                    std::string(frame.body)});
                           return base::Status();
                         });
  opened.status = result.status();
  if (!result.ok()) return opened;
  opened.log = std::move(result->log);
  opened.recovery = std::move(result->recovery);
  return opened;
}

/// The frame a test writes under this number: contents and length depend on it alone.
inline SeenFrame frame_number(std::uint64_t seq) {
  base::Random random(seq);
  SeenFrame frame;
  frame.seq = seq;
  frame.summary = "s" + std::to_string(seq);
  const std::uint64_t lengths[] = {0, 1, 40, 460, 900, 4000, 9000};
  frame.body.resize(lengths[seq % 7] + random.below(30));
  // Every third body is all zero bytes: the hard case for telling torn from written.
  for (char& byte : frame.body) byte = seq % 3 == 0 ? '\0' : static_cast<char>(random.next());
  return frame;
}

inline base::Status append_frame(SegmentedLog& log, const SeenFrame& frame) {
  const base::BytesView half = base::BytesView(frame.body).substr(0, frame.body.size() / 2);
  const base::BytesView pieces[] = {half, base::BytesView(frame.body).substr(half.size())};
  SYNOD_ASSIGN_OR_RETURN(const FrameSeq seq, log.append(frame.summary, pieces));
  SYNOD_ASSERT(seq.value() == frame.seq, "the test lost count");
  return log.sync();
}

/// Appends and syncs the frames up to `last`.
inline base::Status append_up_to(SegmentedLog& log, std::uint64_t last) {
  while (log.next_seq().value() <= last) {
    SYNOD_RETURN_IF_ERROR(append_frame(log, frame_number(log.next_seq().value())));
  }
  return base::Status();
}

inline std::vector<SeenFrame> frames_between(std::uint64_t first, std::uint64_t last) {
  std::vector<SeenFrame> frames;
  for (std::uint64_t seq = first; seq <= last; ++seq) frames.push_back(frame_number(seq));
  return frames;
}

}  // namespace synod::storage
