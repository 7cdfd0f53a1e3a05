// SPDX-License-Identifier: Apache-2.0
#include "net/peer_context.h"

namespace synod::net {
namespace {

std::uint64_t seed_of(const TcpPeerOptions& options) {
  if (options.seed != 0) return options.seed;
  char bytes[8];
  base::system_random(bytes, sizeof bytes);
  return base::load_le64(bytes);
}

}  // namespace

void PeerTally::count_refusal(HelloVerdict verdict) {
  switch (verdict) {
    case HelloVerdict::kDial:
    case HelloVerdict::kAccepted:
      break;
    case HelloVerdict::kWrongReceiver:
      ++wrong_receiver;
      break;
    case HelloVerdict::kWrongCluster:
      ++wrong_cluster;
      break;
    case HelloVerdict::kWrongIdentity:
      ++wrong_identity;
      break;
    case HelloVerdict::kNoRoom:
      ++learned_refused;
      break;
  }
}

PeerCounters PeerTally::snapshot() const {
  return {inbound.load(),         outbound.load(),       refused_strangers.load(),
          hello_timeouts.load(),  bad_hellos.load(),     wrong_receiver.load(),
          wrong_cluster.load(),   wrong_identity.load(), tls_failures.load(),
          bad_frames.load(),      dead_peers.load(),     learned.load(),
          learned_refused.load(), bytes_in.load(),       bytes_out.load()};
}

PeerContext::PeerContext(const TcpPeerOptions& transport_options, EventLoop& transport_dispatcher)
    : options(transport_options),
      dispatcher(transport_dispatcher),
      advertised(transport_options.advertised),
      cluster(transport_options.cluster),
      random(seed_of(transport_options)),
      log(transport_dispatcher.clock()),
      resolver(transport_dispatcher) {}

Hello PeerContext::hello_to(PeerId receiver, PeerClass peer_class, HelloVerdict verdict) const {
  return {peer_class, verdict, cluster.load(), options.self, receiver, advertised};
}

bool PeerContext::may_talk(std::uint64_t peer_cluster) const {
  const std::uint64_t own = cluster.load();
  return own == 0 || peer_cluster == 0 || own == peer_cluster;
}

const char* peer_class_name(PeerClass peer_class) {
  constexpr std::array kNames{"consensus", "forward", "bulk"};
  return kNames.at(static_cast<std::size_t>(peer_class));
}

const char* verdict_text(HelloVerdict verdict) {
  constexpr std::array<const char*, kHelloVerdictCount> kTexts{
      "no answer",
      "accepted",
      "it is another node",
      "it belongs to another cluster",
      "the certificate does not name the node",
      "it knows too many nodes already"};
  return kTexts.at(static_cast<std::size_t>(verdict));
}

}  // namespace synod::net
