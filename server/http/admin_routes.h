// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "server/http/admin_http_server.h"

namespace synod::server {

/// Which handler a request gets; the part of the admin port that knows no sockets.
///
/// Threads: immutable; the handlers run where `answer` is called.
class AdminRoutes {
 public:
  /// REQUIRES: each path once.
  explicit AdminRoutes(AdminHttpServer::Sources sources);

  struct Answer {
    HttpReply reply;
    std::string allow;  ///< The Allow header of a 405.
  };
  [[nodiscard]] Answer answer(const HttpRequest& request) const;

 private:
  void add(HttpRoute route);

  std::map<std::string, HttpRoute> routes_;
};

}  // namespace synod::server
