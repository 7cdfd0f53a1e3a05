// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/types.h"
#include "storage/log/segmented_log.h"

namespace synod::consensus {

enum class DiskState : std::uint8_t {
  kBlank = 1,   ///< Has an incarnation and belongs to no cluster yet.
  kFormed = 2,  ///< Has a cluster and a chain of configurations.
};

/// What a replica must never forget, apart from its log.
struct Superblock {
  std::uint64_t version = 0;  ///< Grows with every write.
  ReplicaId replica;
  Incarnation incarnation;
  DiskState formation = DiskState::kBlank;
  /// Blank only: whose question `incarnation` answered (protocol/formation.h, F2); 0: nobody's.
  Incarnation answered;
  ClusterId cluster;
  Ballot promised;
  Chain chain;
  Slot base;
  std::string state_directory;  ///< The name of the active one; opaque.
  /// Every log frame from here on must be there; 0 while the log has not been made.
  storage::FrameSeq log_begin;
};

/// One copy on disk; integers little endian:
///   magic "SYNODSUP" u64 | format u32 | crc u32 | version u64 | body_bytes u32 | copy u32 | body
/// crc is the CRC-32C of all the rest; copy (0..3) tells a misdirected write. The body is in the
/// compact encoding of base/codec.h.
inline constexpr std::size_t kSuperblockHeadBytes = 32;
inline constexpr std::size_t kSuperblockCopyBytesMax = std::size_t{64} << 10;

/// What was found in the place of a copy. Good copies of one write have equal bodies.
struct SuperblockCopy {
  bool is_good = false;
  bool is_other_format = false;
  std::uint64_t version = 0;
  base::Bytes body;
};

[[nodiscard]] base::Bytes encode_superblock_body(const Superblock& superblock);
[[nodiscard]] base::Result<Superblock> decode_superblock_body(base::BytesView body,
                                                              std::uint64_t version);
[[nodiscard]] base::Bytes encode_superblock_copy(std::uint64_t version, base::BytesView body,
                                                 std::uint32_t copy);
[[nodiscard]] SuperblockCopy decode_superblock_copy(base::BytesView bytes, std::uint32_t copy);

}  // namespace synod::consensus
