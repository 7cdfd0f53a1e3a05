// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/peer_connection.h"

namespace synod::net {

/// Keeps a connection of one class to one peer and sends over it what is queued.
///
/// Dials whenever there is no connection and an address is known, in steps that grow and are spread
/// by chance. The configured address wins; as long as it has never answered, the one the peer told
/// about itself is tried in turn with it.
///
/// Invariants
///   PD1  Frames are sent only after the peer has accepted our hello, and only to the peer we
///   meant:
///        its answer, and with TLS its certificate, name it.
///   PD2  A peer that answers no probe for `dead_after`, or takes no byte for as long, is given up.
///
/// Threads: `send` from any thread, the rest confined to the dispatcher.
/// Failure: whatever ends a connection is logged once and followed by the next attempt.
class PeerDialer final : public PeerConnectionHandler,
                         public std::enable_shared_from_this<PeerDialer> {
 public:
  PeerDialer(PeerContext& context, std::shared_ptr<PeerState> state, PeerClass peer_class);

  /// False: dropped at once.
  bool send(base::Bytes frame);

  void set_configured(const PeerAddress& address);
  void set_learned(const PeerAddress& address);
  /// The peer lives: dials now if it was only waiting.
  void nudge();
  void tick(base::Nanos now);
  /// Our cluster is known now: ends a connection to a node of another one.
  void recheck_cluster();
  void stop();

  void on_up() override;
  void on_bytes(base::BytesView fresh) override;
  void on_drained() override { pump(); }
  void on_lost(const std::string& reason) override;

 private:
  enum class Phase : std::uint8_t { kWaiting, kResolving, kConnecting, kUp, kStopped };
  using Endpoint = boost::asio::ip::tcp::endpoint;

  [[nodiscard]] const PeerAddress* pick_address() const;
  void dial();
  void resolve();
  void on_resolved(const NameResolver::Answer& answer);
  void connect_to(const Endpoint& endpoint);
  void on_answer(const Hello& answer);
  [[nodiscard]] std::optional<std::string> judge(const Hello& answer);
  void opened(std::uint64_t peer_cluster);
  void pump();
  void send_frame(base::BytesView payload, bool is_probe);
  void send_probe(base::Nanos now);
  void on_probe_answer(base::BytesView payload);
  void tick_up(base::Nanos now);
  void give_up(const std::string& reason);
  void wait_and_dial();

  PeerContext& context_;
  const std::shared_ptr<PeerState> state_;
  const PeerClass class_;
  PeerQueue& queue_;

  Phase phase_ = Phase::kWaiting;
  std::optional<PeerAddress> configured_;
  std::optional<PeerAddress> learned_;
  bool configured_answered_ = false;
  bool dialed_configured_ = false;
  PeerAddress dialed_;
  std::uint64_t attempts_ = 0;
  base::Nanos backoff_;
  base::TimerId retry_{0};
  base::Nanos phase_began_{0};
  std::string last_reason_;  ///< Said in the log; the same again is not.

  std::shared_ptr<PeerConnection> connection_;
  std::uint64_t peer_cluster_ = 0;
  bool was_up_ = false;  ///< Ever.
  base::Bytes answer_;   ///< As far as it has arrived.
  std::optional<FrameReader> reader_;

  std::uint64_t probe_ = 0;    ///< The number of the last one.
  bool probe_is_out_ = false;  ///< Its answer has not come.
  base::Nanos probe_queued_at_{0};
  std::uint64_t probe_end_ = 0;   ///< When the connection has written so much, it has left.
  base::Nanos probe_left_at_{0};  ///< 0: not yet, as far as we noticed.
};

}  // namespace synod::net
