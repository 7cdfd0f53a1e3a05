// SPDX-License-Identifier: Apache-2.0
#include "server/http/admin_http_server.h"

#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>
#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "server/http/http_session.h"

namespace synod::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// After an accept that failed, as without a free descriptor.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

/// The socket that listens, the thread, and what the sessions refer to.
///
/// Threads: `open`, `start` and `stop` by the owner, the rest on the admin thread.
class AdminHttpServer::Listener {
 public:
  Listener(const AdminHttpOptions& options, Sources sources)
      : options_(options), routes_(std::move(sources)), acceptor_(io_), pause_(io_) {}
  ~Listener() { stop(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] base::Status open() {
    error_code failed;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(options_.bind, std::to_string(options_.port),
                                        tcp::resolver::passive, failed);
    if (failed || found.empty()) return error("resolve", failed);
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
    if (failed) return error("listen on", failed);
    port_ = acceptor_.local_endpoint(failed).port();
    return failed ? error("listen on", failed) : base::Status();
  }

  void start() {
    accept();
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "admin");
      io_.run();
    });
  }

  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  [[nodiscard]] base::Status error(std::string_view what, const error_code& failed) const {
    const bool is_taken = failed == asio::error::address_in_use;
    return {is_taken ? base::StatusCode::kAlreadyExists : base::StatusCode::kIoError,
            base::concat("admin port: cannot ", what, " ", options_.bind, ":", options_.port, ": ",
                         failed.message())};
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& failed, tcp::socket socket) {
      if (failed) return on_accept_failed(failed);
      // Beyond the limit the socket closes here.
      if (connections_ < options_.connections_max) {
        ++connections_;
        std::make_shared<HttpSession>(std::move(socket), options_, routes_, [this] {
          --connections_;
        })->start();
      }
      accept();
    });
  }

  void on_accept_failed(const error_code& failed) {
    base::log_warning("server", base::concat("admin port: accept: ", failed.message()));
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](const error_code& ended) {
      if (!ended) accept();
    });
  }

  const AdminHttpOptions options_;
  const AdminRoutes routes_;
  std::size_t connections_ = 0;
  std::uint16_t port_ = 0;
  // Sessions end with the context and refer to what stands above.
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::thread thread_;
};

AdminHttpServer::AdminHttpServer(std::unique_ptr<Listener> listener)
    : listener_(std::move(listener)) {}

AdminHttpServer::~AdminHttpServer() = default;

base::Result<std::unique_ptr<AdminHttpServer>> AdminHttpServer::start(
    const AdminHttpOptions& options, Sources sources) {
  auto listener = std::make_unique<Listener>(options, std::move(sources));
  SYNOD_RETURN_IF_ERROR(listener->open());
  listener->start();
  return std::unique_ptr<AdminHttpServer>(new AdminHttpServer(std::move(listener)));
}

std::uint16_t AdminHttpServer::port() const { return listener_->port(); }

void AdminHttpServer::stop() { listener_->stop(); }

}  // namespace synod::server
