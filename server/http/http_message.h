// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace synod::server {

/// One request as a handler sees it.
struct HttpRequest {
  std::string method;
  std::string path;   ///< As sent, up to the question mark.
  std::string query;  ///< Behind it.
  std::string body;
  bool wants_json = false;  ///< The Accept header names application/json.

  /// True if the query holds `name`, with or without a value.
  [[nodiscard]] bool has_parameter(std::string_view name) const;
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// One path and who answers it. Where GET is allowed, HEAD is.
struct HttpRoute {
  std::string path;
  std::vector<std::string> methods;
  /// Runs on the admin thread; may take a second, never more. Must not throw.
  std::function<HttpReply(const HttpRequest&)> handle;
};

/// `text` in quotes, for JSON. Bytes that are no ASCII pass; control characters are escaped.
[[nodiscard]] std::string json_quote(std::string_view text);

}  // namespace synod::server
