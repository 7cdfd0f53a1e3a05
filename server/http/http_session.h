// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>

#include "base/function.h"
#include "server/http/admin_routes.h"

namespace synod::server {

/// The dialogue with one HTTP client: a request is read whole, answered, then the next.
///
/// Owned by its own pending operations; the operations end with the io_context.
///
/// Invariants
///   HS1  One deadline covers the reading of a whole request, however slowly its bytes come.
///   HS2  Head and body are bounded in all of their bytes; the parser's own limit of the head
///        counts only what it could not parse yet.
///   HS3  What is no request is answered with its 4xx where that is possible, then closed.
///
/// Threads: confined to the admin thread.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  /// `options` and `routes` outlive it. `closed` runs in the destructor.
  HttpSession(boost::asio::ip::tcp::socket socket, const AdminHttpOptions& options,
              const AdminRoutes& routes, base::Function<void()> closed);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void start();

 private:
  using ErrorCode = boost::beast::error_code;
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void wait_for_bytes(base::Nanos patience);
  void read_request();
  void read_more();
  void on_bytes(const ErrorCode& failed, std::size_t bytes);
  void refuse(const ErrorCode& failed);
  void answer(const Request& request);
  void send();
  void linger();
  void discard();

  boost::beast::tcp_stream stream_;
  const AdminHttpOptions& options_;
  const AdminRoutes& routes_;
  base::Function<void()> closed_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::uint64_t request_bytes_ = 0;  ///< Of the request that is being read.
  bool is_in_body_ = false;
  Response response_;
};

}  // namespace synod::server
