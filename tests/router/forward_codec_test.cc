// SPDX-License-Identifier: Apache-2.0
#include "router/forward_codec.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace synod::router {
namespace {

constexpr consensus::ClusterId kCluster{7};
const consensus::Ballot kBallot{consensus::ConfigId(3), consensus::Round(77),
                                consensus::ReplicaId(2)};

std::vector<base::Bytes> frames() {
  const base::Bytes command = encode_command({RouterProcess(9), 8}, CommandKind::kOperation, "op");
  return {encode_forward(kCluster, ForwardSubmit{kBallot, RouterProcess(9), 5, command}),
          encode_forward(kCluster, ForwardRefused{kBallot, RouterProcess(9), 5,
                                                  ForwardRefused::Reason::kBusy}),
          encode_forward(kCluster, ForwardExpect{kBallot, RouterProcess(9), 6}),
          encode_forward(kCluster, ForwardHash{{RouterProcess(9), 8}, 12, {1, 2}}),
          encode_forward(kCluster, ForwardNode{"127.0.0.1:9090", 60, 1'000, true})};
}

TEST(ForwardCodec, EveryMessageComesBack) {
  const base::Bytes command = encode_command({RouterProcess(9), 8}, CommandKind::kOperation, "op");
  const base::Bytes frame =
      encode_forward(kCluster, ForwardSubmit{kBallot, RouterProcess(9), 5, command});
  const auto submit = decode_forward(kCluster, frame);
  ASSERT_TRUE(submit.ok());
  const auto& read = std::get<ForwardSubmit>(*submit);
  EXPECT_EQ(read.ballot, kBallot);
  EXPECT_EQ(read.process, RouterProcess(9));
  EXPECT_EQ(read.number, 5U);
  EXPECT_EQ(read.command, command);
  for (const base::Bytes& each : frames()) {
    const auto message = decode_forward(kCluster, each);
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(encode_forward(kCluster, *message), each);
  }
}

TEST(ForwardCodec, WhatIsCutOrChangedIsRefusedOrReadAsItStands) {
  base::Random random(1);
  for (const base::Bytes& frame : frames()) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      (void)decode_forward(kCluster, base::BytesView(frame).substr(0, size));
    }
    for (int i = 0; i < 2'000; ++i) {
      base::Bytes changed = frame;
      changed[random.below(changed.size())] = static_cast<char>(random.next());
      const auto message = decode_forward(kCluster, changed);
      EXPECT_TRUE(!message.ok() || !encode_forward(kCluster, *message).empty());
    }
  }
  EXPECT_EQ(decode_forward(kCluster, "").status().code(), base::StatusCode::kCorruption);
  base::Bytes other = frames()[3];
  other[0] = 2;
  EXPECT_EQ(decode_forward(kCluster, other).status().code(), base::StatusCode::kUnsupported);
  other = frames()[3];
  other[1] = 9;
  EXPECT_EQ(decode_forward(kCluster, other).status().code(), base::StatusCode::kCorruption);
  EXPECT_EQ(decode_forward(consensus::ClusterId(8), frames()[3]).status().code(),
            base::StatusCode::kInvalidArgument);
  EXPECT_EQ(decode_forward(kCluster, frames()[3] + "x").status().code(),
            base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace synod::router
