// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/random.h"
#include "consensus/wire/codec.h"
#include "tests/consensus_wire/counted_memory.h"
#include "tests/consensus_wire/samples.h"

// Frames that nobody wrote. What a checksum would catch is repaired first where the check behind it
// is meant.
namespace synod::consensus {
namespace {

using base::StatusCode;

std::string frame_of(Message message) {
  return encode_frame(kSampleCluster, wire_envelope(std::move(message)));
}

std::string repaired(std::string frame) {
  const base::BytesView body = base::BytesView(frame).substr(kFrameHeaderBytes);
  base::store_le32(frame.data() + 8, static_cast<std::uint32_t>(frame.size()));
  base::store_le32(frame.data() + 12, static_cast<std::uint32_t>(body.size()));
  base::store_le32(frame.data() + 56, base::crc32c(body));
  base::store_le32(frame.data() + 60, base::crc32c(base::BytesView(frame).substr(0, 60)));
  return frame;
}

/// Writes so many little-endian bytes of `value` into the body.
std::string poked(std::string frame, std::size_t body_at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    frame[kFrameHeaderBytes + body_at + i] = static_cast<char>(value >> (8 * i) & 0xFFU);
  }
  return repaired(std::move(frame));
}

std::string complaint(const std::string& frame, StatusCode code = StatusCode::kCorruption) {
  const auto envelope = decode_frame(kSampleCluster, frame);
  if (envelope.ok()) return "none";
  return envelope.status().code() == code ? envelope.status().message() : "another code";
}

#define EXPECT_COMPLAINT(frame, words) \
  EXPECT_NE(complaint(frame).find(words), std::string::npos) << complaint(frame)

TEST(DamagedFrame, EveryChangedByteIsRefused) {
  for (const Sample& sample : wire_samples()) {
    const std::string frame = encode_frame(kSampleCluster, sample.envelope);
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (const unsigned change : {1U, 0x80U, 0xFFU}) {
        std::string damaged = frame;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
        EXPECT_FALSE(decode_frame(kSampleCluster, damaged).ok()) << sample.name << " at " << at;
      }
    }
  }
}

TEST(DamagedFrame, EveryTruncationIsRefusedAlsoWithRightChecksums) {
  for (const Sample& sample : wire_samples()) {
    const std::string frame = encode_frame(kSampleCluster, sample.envelope);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(decode_frame(kSampleCluster, frame.substr(0, size)).ok()) << sample.name;
      if (size < kFrameHeaderBytes) continue;
      EXPECT_FALSE(decode_frame(kSampleCluster, repaired(frame.substr(0, size))).ok())
          << sample.name << " cut to " << size;
    }
    EXPECT_FALSE(decode_frame(kSampleCluster, frame + "x").ok());
    EXPECT_COMPLAINT(repaired(frame + "x"), "bytes follow");
  }
}

TEST(DamagedFrame, AChangedByteBehindRightChecksumsIsRefusedOrReadAsItStands) {
  std::size_t accepted = 0;
  for (const Sample& sample : wire_samples()) {
    const std::string frame = encode_frame(kSampleCluster, sample.envelope);
    for (std::size_t at = kFrameHeaderBytes; at < frame.size(); ++at) {
      for (const unsigned change : {1U, 0x80U, 0xFFU}) {
        std::string damaged = frame;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ change);
        damaged = repaired(damaged);
        const auto envelope = decode_frame(kSampleCluster, damaged);
        if (!envelope.ok()) continue;
        ++accepted;
        EXPECT_EQ(encode_frame(kSampleCluster, *envelope), damaged) << sample.name << " at " << at;
      }
    }
  }
  EXPECT_GT(accepted, 1000U);
}

TEST(DamagedFrame, HugeCountsAreRefused) {
  // Accept: ballot 16, first 8, then the count.
  const std::string accept = frame_of(wire_accept(2, 5));
  EXPECT_COMPLAINT(poked(accept, 24, UINT32_MAX, 4), "a list is longer than the body");
  EXPECT_COMPLAINT(poked(accept, 24, 1U << 20U, 4), "a list is longer than the body");
  EXPECT_COMPLAINT(poked(accept, 28 + 21, UINT32_MAX, 4), "ends too early");
  // SnapshotData: id 8, snapshot 8, file 4, offset 8, gone 1, then the bytes.
  const std::string data = frame_of(SnapshotData{{}, {}, 0, 0, false, "0123456789"});
  EXPECT_COMPLAINT(poked(data, 29, UINT32_MAX, 4), "ends too early");
  EXPECT_COMPLAINT(poked(data, 29, 11, 4), "ends too early");
  EXPECT_COMPLAINT(poked(data, 29, 9, 4), "bytes follow");
}

TEST(DamagedFrame, EveryClaimedCountIsBoundedByWhatIsThere) {
  // Wherever a count stands, one that is huge or fits barely must not cost more than it can bring.
  for (const Sample& sample : wire_samples()) {
    const std::string frame = encode_frame(kSampleCluster, sample.envelope);
    for (std::size_t at = 0; at + kFrameHeaderBytes + 4 <= frame.size(); ++at) {
      for (const std::uint64_t count : {0xFFFFFFF0U, 0x10000U, 16U, 8U, 4U}) {
        const std::string claims = poked(frame, at, count, 4);
        const std::size_t before = allocated_bytes();
        const auto envelope = decode_frame(kSampleCluster, claims);
        EXPECT_LE(allocated_bytes() - before, 8 * claims.size() + 1000) << sample.name;
        if (!envelope.ok()) continue;
        EXPECT_EQ(encode_frame(kSampleCluster, *envelope), claims);
      }
    }
  }
}

TEST(DamagedFrame, ValuesOutOfRangeAreRefused) {
  EXPECT_COMPLAINT(poked(frame_of(PreVoteReply{}), 8, 2, 1), "a boolean");
  EXPECT_COMPLAINT(poked(frame_of(Prepare{}), 24, 2, 1), "a boolean");
  EXPECT_COMPLAINT(poked(frame_of(Nack{}), 32, 0, 1), "an enumeration");
  EXPECT_COMPLAINT(poked(frame_of(Nack{}), 32, 4, 1), "an enumeration");
  const std::string accept = frame_of(wire_accept(1, 5));
  EXPECT_COMPLAINT(poked(accept, 28 + 16, 0, 1), "an enumeration");
  EXPECT_COMPLAINT(poked(accept, 28 + 16, 6, 1), "an enumeration");
  EXPECT_COMPLAINT(poked(accept, 28 + 12, 0, 4), "nobody proposed");
  Introduction formed{ClusterRecord{ClusterId(1), Chain{{Configuration{}}, Slot(0)}}, {}};
  formed.record->chain.configurations[0].voters = {Member{ReplicaId(1), Incarnation(1)}};
  formed.record->chain.configurations[0].guard = Instant(-1);
  EXPECT_COMPLAINT(frame_of(formed), "a span of time");
}

TEST(DamagedFrame, AbsurdSlotsAreRefused) {
  const Ballot ballot{ConfigId(1), Round(1), ReplicaId(1)};
  Accept accept = wire_accept(2, 1);
  for (const Slot first : {Slot(0), Slot(UINT64_MAX), Slot(UINT64_MAX - 1)}) {
    accept.first = first;
    EXPECT_COMPLAINT(frame_of(accept), "beyond the last slot");
    EXPECT_COMPLAINT(frame_of(Entries{{}, first, accept.entries, {}, {}, {}}), "beyond the last");
  }
  accept.first = Slot(UINT64_MAX - 2);
  EXPECT_EQ(complaint(frame_of(accept)), "none");
  const auto promise = [&](std::vector<std::uint64_t> slots, Slot after, Slot to) {
    Promise message{ballot, {}, {}, after, to, {}, std::nullopt};
    for (const std::uint64_t slot : slots) {
      message.slots.push_back(ReportedSlot{Slot(slot), ballot, std::nullopt});
    }
    return frame_of(message);
  };
  EXPECT_EQ(complaint(promise({5, 6}, Slot(4), Slot(6))), "none");
  EXPECT_COMPLAINT(promise({}, Slot(4), Slot(3)), "less than nothing");
  EXPECT_COMPLAINT(promise({4}, Slot(4), Slot(9)), "out of order");
  EXPECT_COMPLAINT(promise({6, 6}, Slot(4), Slot(9)), "out of order");
  EXPECT_COMPLAINT(promise({6, 5}, Slot(4), Slot(9)), "out of order");
  EXPECT_COMPLAINT(promise({6, 10}, Slot(4), Slot(9)), "out of order");
}

TEST(DamagedFrame, ChainsThatNoGroupHasAreRefused) {
  const auto offer = [](std::vector<Configuration> configurations) {
    return frame_of(
        SnapshotOffer{SnapshotManifest{SnapshotId(1), {}, {}, Chain{configurations, {}}, {}}});
  };
  const std::vector<Member> voters{Member{ReplicaId(1), Incarnation(1)}};
  const Configuration first{ConfigId(1), voters, {}, Slot(1), base::Millis(1), {}};
  const Configuration second{ConfigId(2), voters, {}, Slot(9), base::Millis(1), {}};
  EXPECT_EQ(complaint(offer({first, second})), "none");
  EXPECT_COMPLAINT(offer({}), "without configurations");
  EXPECT_COMPLAINT(offer({Configuration{ConfigId(1), {}, {}, Slot(1), base::Millis(1), {}}}),
                   "without voters");
  EXPECT_COMPLAINT(offer({second, first}), "out of order");
  EXPECT_COMPLAINT(offer({first, first}), "out of order");
}

TEST(DamagedFrame, OfAnotherClusterIsRefusedUnlessItIsAnIntroduction) {
  const std::string commit = frame_of(Commit{});
  EXPECT_EQ(decode_frame(ClusterId(9), commit).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(decode_frame(ClusterId(), commit).status().code(), StatusCode::kInvalidArgument);
  std::string nobodys = commit;
  base::store_le64(nobodys.data() + 16, 0);
  EXPECT_EQ(decode_frame(ClusterId(), repaired(nobodys)).status().code(),
            StatusCode::kInvalidArgument);
  const std::string introduction = encode_frame(ClusterId(), wire_envelope(Introduction{}));
  EXPECT_TRUE(decode_frame(ClusterId(), introduction).ok());
  EXPECT_TRUE(decode_frame(ClusterId(9), introduction).ok());
  EXPECT_TRUE(decode_frame(ClusterId(9), frame_of(Introduction{})).ok());
}

TEST(DamagedFrame, OfAnUnknownTypeIsRefused) {
  for (const std::uint32_t type : {0U, 21U, 0xFFFFU}) {
    std::string frame = frame_of(Commit{});
    base::store_le32(frame.data() + 4, type << 16U | kVersionWritten);
    EXPECT_NE(complaint(repaired(frame), StatusCode::kUnsupported).find("message type"),
              std::string::npos);
  }
}

TEST(DamagedFrame, GarbageIsRefusedOrIsItsOwnEncoding) {
  base::Random random(20);
  const std::vector<Sample> samples = wire_samples();
  for (int i = 0; i < 20000; ++i) {
    std::string frame =
        encode_frame(kSampleCluster, samples[random.below(samples.size())].envelope);
    frame.resize(kFrameHeaderBytes + random.below(200));
    const std::size_t keep = kFrameHeaderBytes + random.below(40);
    for (std::size_t at = keep; at < frame.size(); ++at) {
      frame[at] = static_cast<char>(random.below(random.chance(0.5) ? 3 : 256));
    }
    frame = repaired(frame);
    const auto envelope = decode_frame(kSampleCluster, frame);
    if (!envelope.ok()) continue;
    EXPECT_EQ(encode_frame(kSampleCluster, *envelope), frame);
  }
}

}  // namespace
}  // namespace synod::consensus
