// SPDX-License-Identifier: Apache-2.0
#include "router/peer_link.h"

#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "consensus/wire/codec.h"

namespace synod::router {

using consensus::Envelope;
using consensus::Overloaded;
using net::PeerClass;

namespace {

constexpr base::Nanos kComplaintEvery = std::chrono::seconds(1);

/// What can be large has connections of its own, so that ballots never wait behind it.
PeerClass class_of(const consensus::Message& message) {
  return std::visit(Overloaded{[](const consensus::Entries&) { return PeerClass::kBulk; },
                               [](const consensus::SnapshotFetch&) { return PeerClass::kBulk; },
                               [](const consensus::SnapshotData&) { return PeerClass::kBulk; },
                               [](const auto&) { return PeerClass::kConsensus; }},
                    message);
}

}  // namespace

PeerLink::PeerLink(net::PeerTransport& transport, consensus::ReplicaId self,
                   const base::Clock& clock, Receiver receiver)
    : transport_(transport), self_(self), clock_(clock), receiver_(std::move(receiver)) {
  for (const PeerClass each : {PeerClass::kConsensus, PeerClass::kBulk}) {
    transport.on_frame(each,
                       [this](net::PeerId from, const base::Bytes& frame) { take(from, frame); });
  }
}

void PeerLink::send(Envelope envelope) {
  const PeerClass peer_class = class_of(envelope.message);
  const consensus::ClusterId cluster(cluster_.load());
  // A frame that is dropped is one that was lost: the protocol says again what matters.
  static_cast<void>(transport_.send(net::PeerId(envelope.to.value()), peer_class,
                                    consensus::encode_frame(cluster, envelope)));
}

void PeerLink::take(net::PeerId from, const base::Bytes& frame) {
  const consensus::ClusterId cluster(cluster_.load());
  auto envelope = consensus::decode_frame(cluster, frame);
  if (!envelope.ok()) {
    // The group may be formed elsewhere a moment before it is here.
    const bool is_early = cluster == consensus::ClusterId() &&
                          envelope.status().code() == base::StatusCode::kInvalidArgument;
    if (is_early) return static_cast<void>(refused_.fetch_add(1));
    return refuse(from, envelope.status().to_string());
  }
  if (envelope->from.id.value() != from.value()) {
    return refuse(from, base::concat("speaks as node ", envelope->from.id.value()));
  }
  if (envelope->to != self_) {
    return refuse(from, base::concat("means node ", envelope->to.value()));
  }
  note_candidate(*envelope);
  receiver_(std::move(*envelope));
}

void PeerLink::refuse(net::PeerId from, const std::string& why) {
  const std::uint64_t refused = refused_.fetch_add(1) + 1;
  const base::Nanos now = clock_.boot_time();
  if (complained_at_ && now - *complained_at_ < kComplaintEvery) return;
  complained_at_ = now;
  base::log_warning("consensus", base::concat("a frame of node ", from.value(), " was refused (",
                                              refused, " so far): ", why));
}

void PeerLink::note_candidate(const Envelope& envelope) {
  const auto* message = std::get_if<consensus::Introduction>(&envelope.message);
  if (message == nullptr || message->record) return;
  const std::lock_guard lock(mutex_);
  candidates_[envelope.from.id] = Candidate{envelope.from.incarnation, clock_.boot_time()};
}

std::map<consensus::ReplicaId, PeerLink::Candidate> PeerLink::candidates(
    base::Nanos fresh_for) const {
  const base::Nanos now = clock_.boot_time();
  const std::lock_guard lock(mutex_);
  std::map<consensus::ReplicaId, Candidate> fresh;
  for (const auto& [id, candidate] : candidates_) {
    if (now - candidate.last_seen <= fresh_for) fresh.emplace(id, candidate);
  }
  return fresh;
}

}  // namespace synod::router
