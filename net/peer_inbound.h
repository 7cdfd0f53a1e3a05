// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/peer_connection.h"

namespace synod::net {

/// The end of a connection that a peer dialed: takes its hello, then its frames.
///
/// Invariants
///   PI1  Before the owner has admitted the hello nothing of the peer reaches a receiver, and no
///        more is kept of it than a hello has.
///   PI2  A frame that is not whole and right is never received: the connection ends.
///
/// Threads: confined to the dispatcher. Owned by the transport until it is gone.
class PeerInbound final : public PeerConnectionHandler,
                          public std::enable_shared_from_this<PeerInbound> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Null and a refusal, or the peer and kAccepted.
    struct Admission {
      HelloVerdict verdict = HelloVerdict::kAccepted;
      std::shared_ptr<PeerState> state;
    };
    virtual Admission admit(PeerInbound& inbound, const Hello& hello) = 0;
    /// The last call: the owner forgets the connection.
    virtual void gone(PeerInbound& inbound) = 0;
  };

  PeerInbound(PeerContext& context, Owner& owner);
  base::Status open(UniqueFd fd);
  void tick(base::Nanos now);
  /// Our cluster is known now: ends a connection from a node of another one.
  void recheck_cluster();
  /// Ends without telling the owner.
  void close();

  [[nodiscard]] bool is_admitted() const { return state_ != nullptr; }
  [[nodiscard]] base::Nanos began() const { return began_; }
  /// REQUIRES: admitted.
  [[nodiscard]] PeerId peer_id() const { return state_->id; }
  [[nodiscard]] PeerClass peer_class() const { return class_; }
  [[nodiscard]] const std::string& address() const { return connection_->peer(); }
  [[nodiscard]] base::Status check_identity(PeerId peer) const {
    return connection_->check_identity(peer);
  }

  void on_up() override {}
  void on_bytes(base::BytesView fresh) override;
  void on_drained() override {}
  void on_lost(const std::string& reason) override;

 private:
  void take_hello(base::BytesView fresh);
  void take_frames(base::BytesView fresh);
  [[nodiscard]] bool take_frame(bool is_probe, base::Bytes payload);
  void answer(const Hello& hello, HelloVerdict verdict);
  void end(const std::string& reason);

  PeerContext& context_;
  Owner& owner_;
  std::shared_ptr<PeerConnection> connection_;
  std::shared_ptr<PeerState> state_;  ///< Null until admitted.
  PeerClass class_ = PeerClass::kConsensus;
  std::uint64_t peer_cluster_ = 0;
  base::Nanos began_;
  base::Nanos last_byte_;
  base::Bytes hello_;  ///< As far as it has arrived.
  std::optional<FrameReader> reader_;
  bool is_refused_ = false;
  bool ended_ = false;
};

}  // namespace synod::net
