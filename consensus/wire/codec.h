// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/messages.h"
#include "consensus/wire/frame.h"

// Envelopes as frames and back. Pure functions, safe on any thread.
namespace synod::consensus {

/// One frame in one buffer of exactly its size; each command is copied once.
///
/// REQUIRES: `cluster` is not 0, unless the message is an Introduction: nothing else is said
/// outside of a group. Limits are the business of who composes messages; above 4 GiB it asserts.
[[nodiscard]] base::Bytes encode_frame(ClusterId cluster, const Envelope& envelope);

/// All of `frame`, which must be one frame, as it was encoded: whatever differs in a bit is
/// refused. `cluster` is the reader's own (0: none yet); a frame of another is refused, unless it
/// is an Introduction, which is how strangers meet.
///
/// What it answers may be believed as far as its shape goes: enumerations have known values,
/// lists of slots are in order, ranges of slots do not wrap around, chains are not empty and in
/// order, commands are never null. Checksums of entries are the protocol's to check.
///
/// Memory: counts are checked against the bytes that are left before anything is allocated, so
/// that a frame costs a small multiple of its own size.
/// Failure: kCorruption; kUnsupported for a version or type of another release;
/// kInvalidArgument for another cluster.
[[nodiscard]] base::Result<Envelope> decode_frame(ClusterId cluster, base::BytesView frame);

}  // namespace synod::consensus
