// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace synod::net {

/// What one stream server allows its clients to hold. All are per server or per connection,
/// never per worker.
struct ServerLimits {
  std::size_t connections_max = 20'000;          ///< Beyond it: accepted and closed at once.
  std::size_t message_bytes_max = 20U << 20;     ///< One request, header included.
  std::size_t depth_max = 64;                    ///< Nesting inside a request.
  std::size_t container_elements_max = 131'072;  ///< Elements one list, set or map may claim.
  std::size_t in_flight_max = 1024;              ///< Requests of a connection not yet answered.
  std::size_t output_pause_bytes = 1U << 20;     ///< Unsent replies at which reading stops.
  std::size_t output_bytes_max = 64U << 20;      ///< Unsent replies at which one more closes.
};

/// Monotonic since the server was made, except `open`.
struct ServerCounters {
  std::uint64_t open = 0;  ///< Connections now.
  std::uint64_t accepted = 0;
  std::uint64_t refused_over_limit = 0;   ///< Closed because of connections_max.
  std::uint64_t accept_errors = 0;        ///< Failed accepts of any kind.
  std::uint64_t accept_pauses = 0;        ///< Times accepting rested: no descriptor was left.
  std::uint64_t closed_output_limit = 0;  ///< Clients that did not read what they asked for.
  std::uint64_t closed_input_limit = 0;   ///< Handlers that wanted more than message_bytes_max.
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

}  // namespace synod::net
