// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_session.h"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

namespace synod::server {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

constexpr std::size_t kReadBytes = 4096;
/// For a refused client to take its answer before the connection is reset.
constexpr base::Nanos kLinger = std::chrono::seconds(1);

std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

HttpRequest to_request(const http::request<http::string_body>& from) {
  HttpRequest request;
  request.method = text_of(from.method_string());
  const std::string target = text_of(from.target());
  const auto mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.body = from.body();
  const auto accept = from[http::field::accept];
  request.wants_json = accept.find("application/json") != beast::string_view::npos;
  return request;
}

bool is_of_parser(const beast::error_code& failed) {
  return failed.category() == http::make_error_code(http::error::bad_method).category();
}

}  // namespace

HttpSession::HttpSession(boost::asio::ip::tcp::socket socket, const AdminHttpOptions& options,
                         const AdminRoutes& routes, base::Function<void()> closed)
    : stream_(std::move(socket)),
      options_(options),
      routes_(routes),
      closed_(std::move(closed)),
      buffer_(options.header_bytes_max + static_cast<std::size_t>(options.body_bytes_max) +
              kReadBytes) {}

HttpSession::~HttpSession() { closed_(); }

void HttpSession::start() { wait_for_bytes(options_.request_timeout); }

void HttpSession::wait_for_bytes(base::Nanos patience) {
  if (buffer_.size() > 0) return read_request();  // sent with the one before
  stream_.expires_after(patience);
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const ErrorCode& failed, std::size_t bytes) {
                            if (failed) return;
                            self->buffer_.commit(bytes);
                            self->read_request();
                          });
}

void HttpSession::read_request() {
  parser_.emplace();
  parser_->header_limit(options_.header_bytes_max);
  parser_->body_limit(options_.body_bytes_max);
  stream_.expires_after(options_.request_timeout);  // HS1
  request_bytes_ = 0;
  is_in_body_ = false;
  read_more();
}

void HttpSession::read_more() {
  http::async_read_some(stream_, buffer_, *parser_,
                        [self = shared_from_this()](const ErrorCode& failed, std::size_t bytes) {
                          self->on_bytes(failed, bytes);
                        });
}

void HttpSession::on_bytes(const ErrorCode& failed, std::size_t bytes) {
  request_bytes_ += bytes;
  if (!failed) {
    const std::uint64_t head_max = options_.header_bytes_max;
    const std::uint64_t all_max = head_max + options_.body_bytes_max + kReadBytes;
    // A read ends with the head, so the one that completes it has no byte of the body.
    if (!is_in_body_ && request_bytes_ > head_max) {
      return refuse(http::error::header_limit);  // HS2
    }
    is_in_body_ = parser_->is_header_done();
    if (!parser_->is_done() && request_bytes_ > all_max) return refuse(http::error::body_limit);
    return parser_->is_done() ? answer(parser_->get()) : read_more();
  }
  const bool is_gone = failed == http::error::end_of_stream ||
                       failed == http::error::partial_message || !is_of_parser(failed);
  if (!is_gone) refuse(failed);
}

void HttpSession::refuse(const ErrorCode& failed) {
  http::status status = http::status::bad_request;
  if (failed == http::error::header_limit) {
    status = http::status::request_header_fields_too_large;
  } else if (failed == http::error::body_limit) {
    status = http::status::payload_too_large;
  }
  response_ = Response(status, 11);
  response_.set(http::field::content_type, HttpReply().content_type);
  response_.keep_alive(false);
  response_.body() = failed.message() + "\n";
  response_.prepare_payload();
  send();
}

void HttpSession::answer(const Request& request) {
  auto [reply, allow] = routes_.answer(to_request(request));
  response_ = Response(static_cast<http::status>(reply.status), request.version());
  response_.set(http::field::content_type, reply.content_type);
  response_.set(http::field::cache_control, "no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  if (!allow.empty()) response_.set(http::field::allow, allow);
  response_.keep_alive(request.keep_alive());
  response_.body() = std::move(reply.body);
  response_.prepare_payload();
  // The length stays that of the body a GET would get.
  if (request.method() == http::verb::head) response_.body().clear();
  send();
}

void HttpSession::send() {
  stream_.expires_after(options_.write_timeout);
  http::async_write(stream_, response_,
                    [self = shared_from_this()](const ErrorCode& failed, std::size_t /*bytes*/) {
                      if (failed) return;
                      if (!self->response_.keep_alive()) return self->linger();
                      self->wait_for_bytes(self->options_.idle_timeout);
                    });
}

void HttpSession::linger() {
  ErrorCode failed;
  stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, failed);
  if (failed) return;
  stream_.expires_after(kLinger);
  discard();
}

void HttpSession::discard() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
                            if (!failed) self->discard();
                          });
}

}  // namespace synod::server
