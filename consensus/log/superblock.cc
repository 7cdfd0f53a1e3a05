// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/superblock.h"

#include <utility>

#include "base/codec.h"
#include "base/crc32c.h"

namespace synod::consensus {
namespace {

using base::Bytes;
using base::BytesView;
using base::Decoder;
using base::Encoder;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::string_view kMagic = "SYNODSUP";
constexpr std::uint32_t kFormat = 2;  // 1 did not know whom a blank disk had answered.
constexpr std::size_t kCrcOffset = 12;

template <class Id>
void put_id(Encoder& out, Id id) {
  out(id.value());
}
template <class Id>
void take_id(Decoder& in, Id& id) {
  typename Id::Value value{};
  in(value);
  id = Id(value);
}

void put_ballot(Encoder& out, const Ballot& ballot) {
  put_id(out, ballot.config);
  put_id(out, ballot.round);
  put_id(out, ballot.owner);
}
void take_ballot(Decoder& in, Ballot& ballot) {
  take_id(in, ballot.config);
  take_id(in, ballot.round);
  take_id(in, ballot.owner);
}

void put_members(Encoder& out, const std::vector<Member>& members) {
  out.put_varint(members.size());
  for (const Member& member : members) {
    put_id(out, member.id);
    put_id(out, member.incarnation);
  }
}
void take_members(Decoder& in, std::vector<Member>& members) {
  const std::uint64_t count = in.take_count();
  for (std::uint64_t i = 0; i < count; ++i) {
    Member member;
    take_id(in, member.id);
    take_id(in, member.incarnation);
    members.push_back(member);
  }
}

void put_chain(Encoder& out, const Chain& chain) {
  out.put_varint(chain.configurations.size());
  for (const Configuration& each : chain.configurations) {
    put_id(out, each.id);
    put_members(out, each.voters);
    put_members(out, each.learners);
    put_id(out, each.first);
    out(std::int64_t{each.guard.count()});
    put_id(out, each.first_leader);
  }
  put_id(out, chain.as_of);
}
void take_chain(Decoder& in, Chain& chain) {
  const std::uint64_t count = in.take_count();
  for (std::uint64_t i = 0; i < count; ++i) {
    Configuration each;
    take_id(in, each.id);
    take_members(in, each.voters);
    take_members(in, each.learners);
    take_id(in, each.first);
    std::int64_t guard = 0;
    in(guard);
    each.guard = Instant(guard);
    take_id(in, each.first_leader);
    chain.configurations.push_back(std::move(each));
  }
  take_id(in, chain.as_of);
}

/// Over all but itself: a rotten format must not look like another one.
std::uint32_t copy_crc(BytesView copy) {
  return base::crc32c(copy.substr(kCrcOffset + 4), base::crc32c(copy.substr(0, kCrcOffset)));
}

bool is_sane(const Superblock& superblock) {
  const auto& chain = superblock.chain.configurations;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (chain[i].id <= chain[i - 1].id || chain[i].first < chain[i - 1].first) return false;
  }
  const bool formed = superblock.formation == DiskState::kFormed;
  const bool known = formed || superblock.formation == DiskState::kBlank;
  return known && superblock.replica != ReplicaId() && formed == !chain.empty();
}

}  // namespace

Bytes encode_superblock_body(const Superblock& superblock) {
  Bytes body;
  Encoder out(body);
  put_id(out, superblock.replica);
  put_id(out, superblock.incarnation);
  out(superblock.formation);
  put_id(out, superblock.answered);
  put_id(out, superblock.cluster);
  put_ballot(out, superblock.promised);
  put_chain(out, superblock.chain);
  put_id(out, superblock.base);
  out(superblock.state_directory);
  put_id(out, superblock.log_begin);
  return body;
}

Result<Superblock> decode_superblock_body(BytesView body, std::uint64_t version) {
  Superblock superblock;
  superblock.version = version;
  try {
    Decoder in(body);
    take_id(in, superblock.replica);
    take_id(in, superblock.incarnation);
    in(superblock.formation);
    take_id(in, superblock.answered);
    take_id(in, superblock.cluster);
    take_ballot(in, superblock.promised);
    take_chain(in, superblock.chain);
    take_id(in, superblock.base);
    in(superblock.state_directory);
    take_id(in, superblock.log_begin);
    if (in.remaining() != 0) Decoder::fail("bytes follow the superblock");
  } catch (const base::DecodeError& error) {
    return Status(StatusCode::kCorruption, error.what);
  }
  if (!is_sane(superblock)) {
    return Status(StatusCode::kCorruption, "the superblock contradicts itself");
  }
  return superblock;
}

Bytes encode_superblock_copy(std::uint64_t version, BytesView body, std::uint32_t copy) {
  Bytes bytes(kMagic);
  base::append_le32(bytes, kFormat);
  base::append_le32(bytes, 0);
  base::append_le64(bytes, version);
  base::append_le32(bytes, static_cast<std::uint32_t>(body.size()));
  base::append_le32(bytes, copy);
  bytes += body;
  base::store_le32(bytes.data() + kCrcOffset, copy_crc(bytes));
  return bytes;
}

SuperblockCopy decode_superblock_copy(BytesView bytes, std::uint32_t copy) {
  SuperblockCopy found;
  if (bytes.size() < kSuperblockHeadBytes || !bytes.starts_with(kMagic)) return found;
  const char* in = bytes.data();
  const std::uint64_t body_bytes = base::load_le32(in + 24);
  if (body_bytes > bytes.size() - kSuperblockHeadBytes) return found;
  bytes = bytes.substr(0, kSuperblockHeadBytes + body_bytes);
  if (base::load_le32(in + kCrcOffset) != copy_crc(bytes) || base::load_le32(in + 28) != copy) {
    return found;
  }
  found.is_other_format = base::load_le32(in + 8) != kFormat;
  found.is_good = !found.is_other_format;
  found.version = base::load_le64(in + 16);
  found.body = bytes.substr(kSuperblockHeadBytes);
  return found;
}

}  // namespace synod::consensus
