// SPDX-License-Identifier: Apache-2.0
#include "consensus/wire/codec.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/consensus_wire/samples.h"

namespace synod::consensus {
namespace {

std::string hex(base::BytesView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char byte : bytes) {
    out += kDigits[static_cast<unsigned char>(byte) >> 4U];
    out += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
  return out;
}

Envelope sample(const std::string& name) {
  for (Sample& each : wire_samples()) {
    if (each.name == name) return std::move(each.envelope);
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

TEST(Codec, EveryMessageComesBackAsItWas) {
  std::set<std::size_t> kinds;
  for (const Sample& each : wire_samples()) {
    const auto back = decode_frame(kSampleCluster, encode_frame(kSampleCluster, each.envelope));
    ASSERT_TRUE(back.ok()) << each.name << ": " << back.status().to_string();
    EXPECT_EQ(dump(*back), dump(each.envelope)) << each.name;
    kinds.insert(each.envelope.message.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Message>) << "a message without a sample";
}

TEST(Codec, EntriesAreIntactAndEmptyCommandsAreNotNull) {
  const auto back = decode_frame(kSampleCluster, encode_frame(kSampleCluster, sample("accept")));
  ASSERT_TRUE(back.ok());
  for (const Entry& entry : std::get<Accept>(back->message).entries) {
    EXPECT_TRUE(is_intact(entry));
  }
}

TEST(Codec, ADamagedCommandTravelsAsItIs) {
  Accept accept = wire_accept(1, 10);
  accept.entries[0].crc ^= 1U;
  const auto back =
      decode_frame(kSampleCluster, encode_frame(kSampleCluster, wire_envelope(accept)));
  ASSERT_TRUE(back.ok());
  EXPECT_FALSE(is_intact(std::get<Accept>(back->message).entries.at(0)));
}

// The format is a promise to replicas of other releases: whoever changes it needs a new version,
// new seeds (tests/fuzz_consensus_wire/make_corpus.cc) and the bytes below.

TEST(Codec, TheFormatIsThatOfTheSeeds) {
  for (const Sample& each : wire_samples()) {
    const auto path = std::filesystem::path(SYNOD_WIRE_CORPUS) / (each.name + ".frame");
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file) << path;
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(hex(encode_frame(kSampleCluster, each.envelope)), hex(bytes)) << each.name;
  }
}

TEST(Codec, TheFormatIsAsWrittenHere) {
  EXPECT_EQ(hex(encode_frame(kSampleCluster, sample("commit"))),
            "53594e57"                          // magic
            "01000c00"                          // version, type
            "5800000018000000"                  // lengths
            "8877665544332211efbe000000000000"  // cluster, process
            "02000000000000a00200000001000000"  // incarnation, from, to
            "0300000000000000"                  // configuration, reserved
            "77e9d93a73700287"                  // checksums
            "03000000080000000000000003000000"  // ballot
            "0b00000000000000");                // commit
  EXPECT_EQ(hex(encode_frame(kSampleCluster, sample("prepare_token"))).substr(128),
            "03000000070000000000000002000000"  // ballot
            "0800000000000000"                  // commit
            "0103000000060000000000000001000000");
  EXPECT_EQ(hex(encode_frame(kSampleCluster, wire_envelope(wire_accept(1, 3)))).substr(128),
            "03000000080000000000000003000000"  // ballot
            "0c0000000000000001000000"          // first, count
            "03000000080000000000000003000000"  // origin
            "01c8b7c09f03000000636363"          // kind, checksum, command
            "0b000000000000000600000000000000");
}

}  // namespace
}  // namespace synod::consensus
