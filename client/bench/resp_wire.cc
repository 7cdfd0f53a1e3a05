// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstring>

#include "client/bench/bench_wire.h"

namespace synod::client {
namespace {

constexpr std::size_t kLineBytesMax = 64U << 10U;
constexpr std::int64_t kBulkBytesMax = 512LL << 20U;

void append_number(base::Bytes& out, char mark, std::uint64_t number) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out += mark;
  out.append(text, end);
  out += "\r\n";
}

/// A line without its mark and its end; `size` counts both. False: not whole yet.
bool take_line(base::BytesView in, base::BytesView& line, std::size_t& size) {
  const std::size_t end = in.find("\r\n", 1);
  if (end == base::BytesView::npos) return false;
  line = in.substr(1, end - 1);
  size = end + 2;
  return true;
}

class RespWire final : public BenchWire {
 public:
  using BenchWire::BenchWire;

  void append(base::Bytes& out, const Request& request) const override {
    switch (request.kind) {
      case Request::Kind::kRead:
        out += "*2\r\n$3\r\nGET\r\n";
        append_key(out, request.key);
        return;
      case Request::Kind::kWrite:
        out += "*3\r\n$3\r\nSET\r\n";
        append_key(out, request.key);
        append_value(out, request.key, request.tag);
        return;
      case Request::Kind::kLoad:
        append_number(out, '*', 1 + 2ULL * request.count);
        out += "$4\r\nMSET\r\n";
        for (std::uint64_t i = 0; i < request.count; ++i) {
          append_key(out, request.key + i);
          append_value(out, request.key + i, request.tag);
        }
        return;
    }
  }

  std::size_t parse(base::BytesView in, Request::Kind kind, Answer& answer) const override {
    if (in.empty()) return 0;
    base::BytesView line;
    std::size_t size = 0;
    if (!take_line(in, line, size)) return in.size() > kLineBytesMax ? kBroken : 0;
    if (in[0] == '-') {
      answer = {Answer::Outcome::kRefused, line.substr(0, line.find(' '))};
      return size;
    }
    if (kind != Request::Kind::kRead) {
      answer = {};
      return in[0] == '+' ? size : kBroken;
    }
    return in[0] == '$' ? parse_bulk(in, line, size, answer) : kBroken;
  }

 private:
  static void append_key(base::Bytes& out, std::uint64_t key) {
    static_assert(kKeyBytes == 18, "the length stands in the next line");
    out += "$18\r\n";
    append_bench_key(out, key);
    out += "\r\n";
  }

  void append_value(base::Bytes& out, std::uint64_t key, std::uint64_t tag) const {
    append_number(out, '$', value_size_of(value_sizes(), key, tag));
    append_bench_value(out, value_sizes(), key, tag);
    out += "\r\n";
  }

  static std::size_t parse_bulk(base::BytesView in, base::BytesView line, std::size_t size,
                                Answer& answer) {
    std::int64_t bytes = 0;
    const char* const end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, bytes);
    if (error != std::errc() || stop != end || bytes < -1 || bytes > kBulkBytesMax) return kBroken;
    if (bytes == -1) {
      answer = {Answer::Outcome::kMissing, {}};
      return size;
    }
    const auto length = static_cast<std::size_t>(bytes);
    if (in.size() < size + length + 2) return 0;
    if (in.substr(size + length, 2) != "\r\n") return kBroken;
    answer = {Answer::Outcome::kFound, in.substr(size, length)};
    return size + length + 2;
  }
};

}  // namespace

std::unique_ptr<BenchWire> make_resp_wire(ValueSizes value_sizes) {
  return std::make_unique<RespWire>(value_sizes);
}

}  // namespace synod::client
