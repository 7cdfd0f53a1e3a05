// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/TConfiguration.h>
#include <thrift/transport/TVirtualTransport.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace synod::server {

/// One message as libthrift reads it: a view, nothing copied.
///
/// libthrift's own memory buffer never forgets what it has read and refuses to go on after 100 MiB
/// of one connection; this one starts anew with each message, and lets no length claim more than
/// the message has.
class SpanReader final : public apache::thrift::transport::TVirtualTransport<SpanReader> {
 public:
  explicit SpanReader(std::shared_ptr<apache::thrift::TConfiguration> configuration)
      : TVirtualTransport(std::move(configuration)) {}

  /// REQUIRES: `message` fits the configuration and outlives the reading.
  void reset(base::BytesView message) {
    rest_ = message;
    resetConsumedMessageSize();
    resetConsumedMessageSize(static_cast<long>(message.size()));
  }
  [[nodiscard]] bool isOpen() const override { return true; }

  std::uint32_t read(std::uint8_t* out, std::uint32_t size) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(size, rest_.size()));
    std::memcpy(out, rest_.data(), count);
    consume(count);
    return count;
  }
  const std::uint8_t* borrow(std::uint8_t* /*buffer*/, std::uint32_t* size) {
    if (*size > rest_.size()) return nullptr;
    *size = static_cast<std::uint32_t>(rest_.size());
    return reinterpret_cast<const std::uint8_t*>(rest_.data());
  }
  void consume(std::uint32_t size) {
    // libthrift is not told what is consumed: its compact protocol compares a string with what is
    // left after it has read the string. It compares with the whole message instead.
    rest_.remove_prefix(size);
  }

 private:
  base::BytesView rest_;
};

/// A reply as libthrift writes it: appended to bytes that are then handed on.
class BytesWriter final : public apache::thrift::transport::TVirtualTransport<BytesWriter> {
 public:
  [[nodiscard]] bool isOpen() const override { return true; }
  void write(const std::uint8_t* bytes, std::uint32_t size) {
    out_.append(reinterpret_cast<const char*>(bytes), size);
  }
  [[nodiscard]] base::Bytes& bytes() { return out_; }
  [[nodiscard]] base::Bytes take() { return std::exchange(out_, base::Bytes()); }

 private:
  base::Bytes out_;
};

}  // namespace synod::server
