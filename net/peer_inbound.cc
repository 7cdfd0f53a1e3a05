// SPDX-License-Identifier: Apache-2.0
#include "net/peer_inbound.h"

#include <utility>

#include "base/logging.h"
#include "base/text.h"

namespace synod::net {
namespace {

/// Answers to probes that the peer does not read: it sends probes only to fill our memory.
constexpr std::size_t kUnsentMax = 64U << 10U;

}  // namespace

PeerInbound::PeerInbound(PeerContext& context, Owner& owner)
    : context_(context), owner_(owner), began_(context.now()), last_byte_(began_) {}

base::Status PeerInbound::open(UniqueFd fd) {
  connection_ = std::make_shared<PeerConnection>(context_, *this);
  return connection_->open(std::move(fd), false);
}

void PeerInbound::on_bytes(base::BytesView fresh) {
  last_byte_ = context_.now();
  if (is_refused_) return;  // it has our answer; nothing it says counts
  if (is_admitted()) {
    take_frames(fresh);
  } else {
    take_hello(fresh);
  }
}

// ---- the hello

void PeerInbound::take_hello(base::BytesView fresh) {
  hello_.append(fresh);
  HelloScan scan = scan_hello(hello_);
  if (scan.state == HelloScan::State::kNeedMore) return;
  if (scan.state == HelloScan::State::kComplete && scan.hello.verdict != HelloVerdict::kDial) {
    scan.state = HelloScan::State::kRefused;
    scan.refusal = base::Status(base::StatusCode::kCorruption, "it answers before it is asked");
  }
  if (scan.state == HelloScan::State::kRefused) {
    ++context_.tally.bad_hellos;
    end(scan.refusal.message());
    return;
  }
  const base::Bytes rest = std::exchange(hello_, base::Bytes()).substr(scan.bytes);
  Owner::Admission admission = owner_.admit(*this, scan.hello);
  answer(scan.hello, admission.verdict);
  if (admission.verdict != HelloVerdict::kAccepted) return;
  state_ = std::move(admission.state);
  class_ = scan.hello.peer_class;
  peer_cluster_ = scan.hello.cluster;
  reader_.emplace(context_.options.limits.frame_bytes_max[static_cast<std::size_t>(class_)]);
  take_frames(rest);
}

void PeerInbound::answer(const Hello& hello, HelloVerdict verdict) {
  connection_->send(encode_hello(context_.hello_to(hello.sender, hello.peer_class, verdict)));
  if (verdict == HelloVerdict::kAccepted) {
    connection_->flush();
    return;
  }
  is_refused_ = true;
  context_.tally.count_refusal(verdict);
  context_.log.warn(base::concat("refused ", address(), ", which says it is node ",
                                 hello.sender.value(), " and wants node ", hello.receiver.value(),
                                 " of cluster ", hello.cluster, "; this is node ",
                                 context_.options.self.value(), " of cluster ",
                                 context_.cluster.load(), ": ", verdict_text(verdict)));
  connection_->close_after_flush();
}

// ---- frames

void PeerInbound::take_frames(base::BytesView fresh) {
  const base::Status taken = reader_->feed(fresh, [this](bool is_probe, base::Bytes payload) {
    return take_frame(is_probe, std::move(payload));
  });
  if (taken.ok()) {
    connection_->flush();
  } else if (!ended_) {
    ++context_.tally.bad_frames;
    end(taken.message());
  }
}

bool PeerInbound::take_frame(bool is_probe, base::Bytes payload) {
  state_->last_heard = last_byte_.count();
  if (is_probe) {
    base::Bytes echo(kPeerFrameHeaderBytes, '\0');
    store_frame_header(payload, true, echo.data());
    connection_->send(echo + payload);
    if (connection_->unsent() <= kUnsentMax) return true;
    ++context_.tally.bad_frames;
    end("it asks and does not read the answers");
    return false;
  }
  ++state_->frames_in;
  const auto& receiver = context_.receivers[static_cast<std::size_t>(class_)];
  if (receiver) receiver(state_->id, std::move(payload));
  return !ended_;
}

// ---- ending

void PeerInbound::tick(base::Nanos now) {
  const PeerTimes& times = context_.options.times;
  if (!is_admitted() && now - began_ > times.hello_timeout) {
    ++context_.tally.hello_timeouts;
    end("it did not say hello in time");
  } else if (is_admitted() && now - last_byte_ > times.inbound_idle) {
    ++context_.tally.dead_peers;
    end("it went silent");
  }
}

void PeerInbound::recheck_cluster() {
  if (!is_admitted() || context_.may_talk(peer_cluster_)) return;
  ++context_.tally.wrong_cluster;
  end("it belongs to another cluster");
}

void PeerInbound::on_lost(const std::string& reason) {
  // A peer that went away is the dialer's story, a refusal has been told, and whoever came and went
  // without a word only looked whether we listen.
  const bool is_strange = !hello_.empty() || connection_->failed_in_tls();
  if (is_admitted() || is_refused_ || !is_strange) {
    base::log_debug("net", base::concat("connection from ", address(), " ended: ", reason));
    close();
    owner_.gone(*this);
  } else {
    end(reason);
  }
}

void PeerInbound::end(const std::string& reason) {
  if (ended_) return;
  const std::string who = is_admitted() ? base::concat(" (node ", state_->id.value(), ", ",
                                                       peer_class_name(class_), ")")
                                        : std::string();
  context_.log.warn(base::concat("closed the connection from ", address(), who, ": ", reason));
  close();
  owner_.gone(*this);
}

void PeerInbound::close() {
  ended_ = true;
  connection_->close();
}

}  // namespace synod::net
