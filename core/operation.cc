// SPDX-License-Identifier: Apache-2.0
#include "core/operation.h"

#include "base/codec.h"

namespace synod::core {
namespace {

/// First byte of every encoded operation; a reader refuses what it does not know.
constexpr std::uint8_t kFormat = 1;

template <class Archive, class Operation>
void transfer(Archive& ar, std::int64_t& stamp_ms, std::int64_t& resume_version, Operation& op) {
  ar(op.kind, stamp_ms, op.read_version, op.read_keys, op.read_ranges, op.token, op.steps,
     op.policy, resume_version);
}

}  // namespace

base::Bytes encode_operation(const KvOperation& operation) {
  base::Bytes out;
  encode_operation(operation, out);
  return out;
}

void encode_operation(const KvOperation& operation, base::Bytes& out) {
  base::Encoder encoder(out);
  encoder(kFormat);
  std::int64_t stamp_ms = operation.stamp.value();
  std::int64_t resume_version = operation.resume_version.value();
  transfer(encoder, stamp_ms, resume_version, operation);
}

base::Result<KvOperation> decode_operation(base::BytesView bytes) {
  try {
    base::Decoder decoder(bytes);
    std::uint8_t format = 0;
    decoder(format);
    if (format != kFormat) {
      return base::Status(base::StatusCode::kCorruption, "unknown operation format");
    }
    KvOperation operation;
    std::int64_t stamp_ms = 0;
    std::int64_t resume_version = 0;
    transfer(decoder, stamp_ms, resume_version, operation);
    operation.stamp = TimeMs(stamp_ms);
    operation.resume_version = Version(resume_version);
    if (decoder.remaining() != 0) base::Decoder::fail("bytes follow the operation");
    return operation;
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

}  // namespace synod::core
