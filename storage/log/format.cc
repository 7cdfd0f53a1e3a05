// SPDX-License-Identifier: Apache-2.0
#include "storage/log/format.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace synod::storage {
namespace {

using base::load_le32;
using base::load_le64;
using base::store_le32;
using base::store_le64;

constexpr std::string_view kHeaderMagic = "SYNODLOG";
constexpr std::string_view kSealMagic = "SYNODEND";
constexpr std::size_t kHeaderCrcOffset = 12;
constexpr std::size_t kSealCrcOffset = 8;
constexpr std::uint8_t kDataKind = 1;
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kSegmentSuffix = ".seg";

/// The checksum of a sector as if the four bytes at `crc_offset` were zero.
std::uint32_t sector_crc(base::BytesView sector, std::size_t crc_offset) {
  std::uint32_t crc = base::crc32c(sector.substr(0, crc_offset));
  crc = base::crc32c(base::BytesView("\0\0\0\0", 4), crc);
  return base::crc32c(sector.substr(crc_offset + 4), crc);
}

void store_le16(char* out, std::uint16_t value) {
  out[0] = static_cast<char>(value & 0xff);
  out[1] = static_cast<char>(value >> 8);
}

std::uint16_t load_le16(const char* in) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(in[0]) |
                                    static_cast<unsigned char>(in[1]) << 8);
}

bool is_sane(const SegmentHeader& header) {
  return header.file_bytes >= kSegmentBytesMin && header.file_bytes % kLogBlockBytes == 0 &&
         header.file_bytes < (std::uint64_t{1} << 62) && header.epoch != 0 &&
         header.first_seq.value() != 0 && header.previous_last.next() == header.first_seq;
}

}  // namespace

std::uint64_t frame_data_bytes(std::uint64_t payload_bytes) {
  return (payload_bytes + kLogSectorPayload - 1) / kLogSectorPayload * kLogSectorBytes;
}

std::uint64_t frame_disk_bytes(std::uint64_t payload_bytes) {
  return (frame_data_bytes(payload_bytes) + kLogBlockBytes - 1) / kLogBlockBytes * kLogBlockBytes;
}

std::uint32_t frame_tag(std::uint32_t epoch, FrameSeq seq) {
  // A 64-bit finalizer: neighbours in either argument share no bits.
  std::uint64_t mixed = (std::uint64_t{epoch} << 32 | epoch) ^ (seq.value() * 0x9e3779b97f4a7c15U);
  mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdU;
  mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53U;
  const auto tag = static_cast<std::uint32_t>(mixed >> 32);
  return tag == 0 ? 1 : tag;
}

bool is_zero(base::BytesView bytes) {
  return bytes.empty() || (bytes.front() == '\0' &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

void encode_header(const SegmentHeader& header, char* sector) {
  std::memset(sector, 0, kLogSectorBytes);
  std::memcpy(sector, kHeaderMagic.data(), kHeaderMagic.size());
  store_le32(sector + 8, kLogFormatVersion);
  store_le64(sector + 16, header.number);
  store_le64(sector + 24, header.first_seq.value());
  store_le64(sector + 32, header.file_bytes);
  store_le32(sector + 40, header.epoch);
  store_le32(sector + 44, header.previous_epoch);
  store_le64(sector + 48, header.previous_last.value());
  std::memcpy(sector + 56, header.identity.data(), header.identity.size());
  store_le32(sector + kHeaderCrcOffset,
             sector_crc(base::BytesView(sector, kLogSectorBytes), kHeaderCrcOffset));
}

SectorState decode_header(base::BytesView sector, SegmentHeader& header) {
  if (sector.size() < kLogSectorBytes) return SectorState::kBad;
  if (is_zero(sector)) return SectorState::kZero;
  const char* in = sector.data();
  if (!sector.starts_with(kHeaderMagic) ||
      load_le32(in + kHeaderCrcOffset) != sector_crc(sector, kHeaderCrcOffset)) {
    return SectorState::kBad;
  }
  if (load_le32(in + 8) != kLogFormatVersion) return SectorState::kOtherVersion;
  header.number = load_le64(in + 16);
  header.first_seq = FrameSeq(load_le64(in + 24));
  header.file_bytes = load_le64(in + 32);
  header.epoch = load_le32(in + 40);
  header.previous_epoch = load_le32(in + 44);
  header.previous_last = FrameSeq(load_le64(in + 48));
  std::memcpy(header.identity.data(), in + 56, header.identity.size());
  return is_sane(header) ? SectorState::kValid : SectorState::kBad;
}

void encode_seal(const SegmentSeal& seal, char* sector) {
  std::memset(sector, 0, kLogSectorBytes);
  std::memcpy(sector, kSealMagic.data(), kSealMagic.size());
  store_le32(sector + 12, seal.epoch);
  store_le64(sector + 16, seal.number);
  store_le64(sector + 24, seal.last_seq.value());
  store_le64(sector + 32, seal.end_offset);
  store_le32(sector + kSealCrcOffset,
             sector_crc(base::BytesView(sector, kLogSectorBytes), kSealCrcOffset));
}

SectorState decode_seal(base::BytesView sector, SegmentSeal& seal) {
  if (is_zero(sector)) return SectorState::kZero;
  if (sector.size() < kLogSectorBytes || !sector.starts_with(kSealMagic)) return SectorState::kBad;
  const char* in = sector.data();
  if (load_le32(in + kSealCrcOffset) != sector_crc(sector, kSealCrcOffset)) {
    return SectorState::kBad;
  }
  seal.epoch = load_le32(in + 12);
  seal.number = load_le64(in + 16);
  seal.last_seq = FrameSeq(load_le64(in + 24));
  seal.end_offset = load_le64(in + 32);
  return SectorState::kValid;
}

void encode_frame_head(const FrameHead& head, char* out) {
  std::memset(out, 0, kFrameHeadBytes);
  out[4] = static_cast<char>(kDataKind);
  store_le16(out + 6, head.summary_bytes);
  store_le16(out + 8, head.previous_summary_bytes);
  store_le32(out + 12, head.epoch);
  store_le32(out + 16, head.meta_crc);
  store_le32(out + 20, head.body_crc);
  store_le32(out + 24, head.body_bytes);
  store_le64(out + 28, head.seq.value());
  store_le64(out + 36, head.previous_seq.value());
  store_le32(out, base::crc32c(base::BytesView(out + 4, kFrameHeadBytes - 4)));
}

SectorState decode_frame_head(base::BytesView sector, FrameHead& head) {
  if (is_zero(sector)) return SectorState::kZero;
  if (sector.size() < kLogTagBytes + kFrameHeadBytes) return SectorState::kBad;
  const char* in = sector.data() + kLogTagBytes;
  if (load_le32(in) != base::crc32c(base::BytesView(in + 4, kFrameHeadBytes - 4)) ||
      in[4] != static_cast<char>(kDataKind)) {
    return SectorState::kBad;
  }
  head.summary_bytes = load_le16(in + 6);
  head.previous_summary_bytes = load_le16(in + 8);
  head.epoch = load_le32(in + 12);
  head.meta_crc = load_le32(in + 16);
  head.body_crc = load_le32(in + 20);
  head.body_bytes = load_le32(in + 24);
  head.seq = FrameSeq(load_le64(in + 28));
  head.previous_seq = FrameSeq(load_le64(in + 36));
  const bool sane = head.summary_bytes <= kFrameSummaryBytesMax &&
                    head.previous_summary_bytes <= kFrameSummaryBytesMax;
  return sane ? SectorState::kValid : SectorState::kBad;
}

std::string segment_name(std::uint64_t number) {
  std::string name(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) name[i] = kHexDigits[number & 0xf];
  name += kSegmentSuffix;
  return name;
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != 16 + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char digit : name.substr(0, 16)) {
    const std::size_t value = kHexDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    number = number << 4 | value;
  }
  return number;
}

}  // namespace synod::storage
