// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"

namespace synod::client {

/// The Status for an error_code and its text as a server sent them; the message starts with the
/// code, so that nothing is lost where several codes share a StatusCode.
[[nodiscard]] base::Status status_of_reply(std::string_view code, std::string_view text);

/// The Status of any reply struct with `error`, and `error_code` where it has one.
template <class Reply>
[[nodiscard]] base::Status status_of(const Reply& reply, bool success) {
  if (success && !reply.__isset.error) return {};
  if constexpr (requires { reply.error_code; }) {
    return status_of_reply(reply.error_code, reply.error);
  } else {
    return status_of_reply("", reply.error);
  }
}

}  // namespace synod::client
