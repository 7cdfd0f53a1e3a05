// SPDX-License-Identifier: Apache-2.0
#include "consensus/wire/frame.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "consensus/wire/codec.h"
#include "tests/consensus_wire/samples.h"

namespace synod::consensus {
namespace {

using State = FrameScan::State;

std::string a_frame() { return encode_frame(kSampleCluster, wire_samples()[0].envelope); }

/// Changes a header and makes its checksum right again.
std::string with(std::string frame, std::size_t at, std::uint32_t value) {
  base::store_le32(frame.data() + at, value);
  base::store_le32(frame.data() + 60, base::crc32c(base::BytesView(frame).substr(0, 60)));
  return frame;
}

TEST(FrameScanner, AsksForExactlyWhatIsMissing) {
  const std::string frame = a_frame();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const FrameScan scan = scan_frame(base::BytesView(frame).substr(0, size));
    ASSERT_EQ(scan.state, State::kNeedMore) << size;
    EXPECT_EQ(scan.bytes, (size < kFrameHeaderBytes ? kFrameHeaderBytes : frame.size()) - size);
  }
}

TEST(FrameScanner, FindsFrameAfterFrame) {
  std::string stream;
  for (const Sample& sample : wire_samples())
    stream += encode_frame(kSampleCluster, sample.envelope);
  base::BytesView rest = stream;
  for (const Sample& sample : wire_samples()) {
    const FrameScan scan = scan_frame(rest);
    ASSERT_EQ(scan.state, State::kComplete) << sample.name;
    const auto envelope = decode_frame(kSampleCluster, rest.substr(0, scan.bytes));
    ASSERT_TRUE(envelope.ok()) << envelope.status().to_string();
    EXPECT_EQ(dump(*envelope), dump(sample.envelope));
    rest.remove_prefix(scan.bytes);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(FrameScanner, RefusesWhatIsTooLongWhenOnlyTheHeaderIsThere) {
  const std::string header =
      with(with(a_frame().substr(0, 64), 12, (64U << 20U) - 63), 8, (64U << 20U) + 1);
  EXPECT_EQ(scan_frame(header).state, State::kRefused);
  EXPECT_EQ(scan_frame(header).refusal.code(), base::StatusCode::kLimitExceeded);
  EXPECT_EQ(scan_frame(header, (64U << 20U) + 1).state, State::kNeedMore);
  const std::string frame = a_frame();
  const auto size = static_cast<std::uint32_t>(frame.size());
  EXPECT_EQ(scan_frame(frame, size).state, State::kComplete);
  EXPECT_EQ(scan_frame(frame, size - 1).state, State::kRefused);
}

TEST(FrameScanner, RefusesAnotherProtocolAfterEightBytes) {
  EXPECT_EQ(scan_frame("GET / HT").state, State::kRefused);
  EXPECT_EQ(scan_frame("GET / H").state, State::kNeedMore);
}

TEST(FrameScanner, RefusesAVersionItDoesNotKnowAndNamesTheRange) {
  for (const std::uint32_t version : {std::uint32_t{0}, kVersionMax + 1U, 0xFFFFU}) {
    const FrameScan scan = scan_frame(with(a_frame(), 4, 1U << 16U | version));
    ASSERT_EQ(scan.state, State::kRefused);
    EXPECT_EQ(scan.refusal.code(), base::StatusCode::kUnsupported);
    EXPECT_NE(scan.refusal.message().find("[1, 1]"), std::string::npos);
  }
}

TEST(FrameScanner, RefusesAHeaderThatContradictsItself) {
  EXPECT_EQ(scan_frame(with(a_frame(), 8, 63)).state, State::kRefused);
  EXPECT_EQ(scan_frame(with(a_frame(), 12, UINT32_MAX)).state, State::kRefused);
  EXPECT_EQ(scan_frame(with(a_frame(), 40, 0)).state, State::kRefused);
  EXPECT_EQ(scan_frame(with(a_frame(), 44, 0)).state, State::kRefused);
  EXPECT_EQ(scan_frame(with(a_frame(), 52, 1)).state, State::kRefused);
}

}  // namespace
}  // namespace synod::consensus
