// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/types.h"
#include "core/state/state_hash.h"
#include "router/command.h"

// What routers say to each other, one message a frame of the forward class. The transport checks
// that a frame arrives as it was sent.
//
//   frame = format:u8 kind:u8 cluster:le64 fields, in base/codec.h's encoding; the command of a
//           Submit last, without a length
namespace synod::router {

/// To the owner of `ballot`: propose this in that ballot, or not at all. Numbers of one process and
/// ballot are 1, 2, 3…; the same number is always the same command.
struct ForwardSubmit {
  consensus::Ballot ballot;
  RouterProcess process;
  std::uint64_t number = 0;
  base::BytesView command;  ///< Into the frame that was read.
};

/// The answer if it was not proposed.
struct ForwardRefused {
  enum class Reason : std::uint8_t { kNotLeading = 1, kBusy = 2, kRefused = 3 };
  consensus::Ballot ballot;
  RouterProcess process;
  std::uint64_t number = 0;
  Reason reason = Reason::kNotLeading;
};

/// Everything below `number` has arrived, and that one has not: go on from there.
struct ForwardExpect {
  consensus::Ballot ballot;
  RouterProcess process;
  std::uint64_t number = 0;
};

/// What a replica's state was when it came to a hash mark.
struct ForwardHash {
  CommandId mark;
  std::uint64_t slot = 0;
  core::StateHash hash;
};

/// What a node tells the others of itself, every second.
struct ForwardNode {
  std::string endpoint;  ///< Of its Thrift front.
  std::int64_t uptime_s = 0;
  std::uint64_t applied = 0;
  bool is_degraded = false;
};

using ForwardMessage =
    std::variant<ForwardSubmit, ForwardRefused, ForwardExpect, ForwardHash, ForwardNode>;

[[nodiscard]] base::Bytes encode_forward(consensus::ClusterId cluster,
                                         const ForwardMessage& message);
/// kCorruption for anything encode_forward cannot have made; kUnsupported for another format;
/// kInvalidArgument for another cluster.
[[nodiscard]] base::Result<ForwardMessage> decode_forward(consensus::ClusterId cluster,
                                                          base::BytesView frame);

}  // namespace synod::router
