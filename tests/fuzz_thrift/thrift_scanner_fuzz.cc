// SPDX-License-Identifier: Apache-2.0
//
// Bytes as a client might send them: through the scanner, and through a whole session on the public
// service. How the bytes are cut must not matter, for the scanner's verdict and for the replies.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/assert.h"
#include "server/thrift/kv_service.h"
#include "tests/server_thrift/fake_connection.h"
#include "tests/server_thrift/fake_router.h"

namespace synod::server {
namespace {

net::ServerLimits small_limits() {
  net::ServerLimits limits;
  limits.message_bytes_max = 64 * 1024;
  limits.container_elements_max = 1024;
  limits.in_flight_max = 8;
  return limits;
}

struct Verdict {
  MessageScanner::State state = MessageScanner::State::kNeedMore;
  std::size_t bytes = 0;
};

Verdict scan(base::BytesView text, std::size_t piece) {
  MessageScanner scanner({small_limits().message_bytes_max, 64});
  Verdict out;
  for (std::size_t size = 0; out.state == MessageScanner::State::kNeedMore;) {
    out.state = scanner.scan(text.substr(0, size));
    if (size == text.size()) break;
    size = std::min(text.size(), size + piece);
  }
  if (out.state == MessageScanner::State::kComplete) out.bytes = scanner.message_bytes();
  return out;
}

/// Everything a session answers; its clock is the only thing that may differ between two runs.
std::string converse(base::BytesView text, std::size_t piece, std::uint64_t& calls) {
  const net::ServerLimits limits = small_limits();
  FakeRouter router;
  FakeDispatcher dispatcher;
  FakeConnection connection(dispatcher);
  SessionCounters counters;
  KvServiceOptions options;
  options.fault_injection_seed = 1;
  const auto service = make_kv_service(options, router, dispatcher);
  ThriftSession session(connection, *service, limits, counters);
  connection.handler = &session;
  std::string out;
  for (std::size_t at = 0; at < text.size() && !connection.closed; at += piece) {
    connection.feed(text.substr(at, piece));
    dispatcher.run_posted();
    dispatcher.fire_timers();
    out += connection.take_output();
  }
  session.on_close();
  calls = counters.calls.load();
  return out;
}

}  // namespace
}  // namespace synod::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synod::server;
  const synod::base::BytesView text(reinterpret_cast<const char*>(data), size);
  const Verdict whole = scan(text, text.size() + 1);
  const Verdict pieces = scan(text, 1 + size / 7);
  SYNOD_ASSERT(whole.state == pieces.state && whole.bytes == pieces.bytes,
               "MS1: the verdict does not depend on how the bytes were cut");
  SYNOD_ASSERT(whole.bytes <= small_limits().message_bytes_max, "MS3: the limit holds");
  if (size <= 4096) {
    const Verdict bytes = scan(text, 1);
    SYNOD_ASSERT(whole.state == bytes.state && whole.bytes == bytes.bytes,
                 "MS1: the verdict does not depend on how the bytes were cut");
  }
  std::uint64_t calls_whole = 0;
  std::uint64_t calls_pieces = 0;
  const std::string first = converse(text, text.size() + 1, calls_whole);
  const std::string second = converse(text, 1 + size / 5, calls_pieces);
  SYNOD_ASSERT(calls_whole == calls_pieces, "a session sees the same calls however bytes are cut");
  SYNOD_ASSERT(first.size() == second.size(), "and answers them alike");
  return 0;
}
