// SPDX-License-Identifier: Apache-2.0
#include "net/peer_dialer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "net/event_loop.h"

namespace synod::net {
namespace {

/// Frames move from the queue, which is bounded, to the connection up to here.
constexpr std::size_t kRefillBytes = 256U << 10U;

}  // namespace

PeerDialer::PeerDialer(PeerContext& context, std::shared_ptr<PeerState> state, PeerClass peer_class)
    : context_(context),
      state_(std::move(state)),
      class_(peer_class),
      queue_(state_->queues[static_cast<std::size_t>(peer_class)]),
      backoff_(context.options.times.backoff_min) {}

bool PeerDialer::send(base::Bytes frame) {
  const auto limit = context_.options.limits.frame_bytes_max[static_cast<std::size_t>(class_)];
  if (frame.size() > limit) {
    ++state_->frames_too_long;
    base::log_error("net", base::concat("a frame of ", frame.size(), " bytes for node ",
                                        state_->id.value(), " is not sent: ",
                                        peer_class_name(class_), " frames have at most ", limit));
    return false;
  }
  const PeerQueue::Push pushed = queue_.push(std::move(frame));
  if (pushed == PeerQueue::Push::kAcceptedWake) {
    context_.dispatcher.post([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self != nullptr) self->pump();
    });
  }
  return pushed != PeerQueue::Push::kDropped;
}

// ---- dialing

void PeerDialer::set_configured(const PeerAddress& address) {
  if (configured_ == address) return;
  configured_ = address;
  configured_answered_ = false;
  nudge();
}

void PeerDialer::set_learned(const PeerAddress& address) {
  learned_ = address;
  nudge();
}

void PeerDialer::nudge() {
  if (phase_ != Phase::kWaiting) return;
  context_.dispatcher.cancel(retry_);
  dial();
}

const PeerAddress* PeerDialer::pick_address() const {
  if (!configured_) return learned_ ? &*learned_ : nullptr;
  if (!learned_ || configured_answered_ || attempts_ % 2 == 0) return &*configured_;
  return &*learned_;
}

void PeerDialer::dial() {
  const PeerAddress* address = pick_address();
  if (phase_ != Phase::kWaiting || address == nullptr) return;
  dialed_configured_ = configured_ && address == &*configured_;
  dialed_ = *address;
  ++attempts_;
  phase_began_ = context_.now();
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(dialed_.host, error);
  if (!error) {
    connect_to(Endpoint(numeric, dialed_.port));
  } else {
    resolve();
  }
}

void PeerDialer::resolve() {
  phase_ = Phase::kResolving;
  context_.resolver.resolve(dialed_.host, dialed_.port,
                            [weak = weak_from_this()](const NameResolver::Answer& answer) {
                              if (const auto self = weak.lock()) self->on_resolved(answer);
                            });
}

void PeerDialer::on_resolved(const NameResolver::Answer& answer) {
  if (phase_ != Phase::kResolving) return;
  if (answer.addresses.empty()) return give_up("its name is not known: " + answer.error);
  // One address an attempt: a name of several is tried address by address.
  const PeerAddress& chosen = answer.addresses[attempts_ % answer.addresses.size()];
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(chosen.host, error);
  if (error) return give_up("its name is not known: " + error.message());
  phase_began_ = context_.now();
  connect_to(Endpoint(numeric, chosen.port));
}

void PeerDialer::connect_to(const Endpoint& endpoint) {
  phase_ = Phase::kConnecting;
  UniqueFd fd(
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0 ||
      (::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 &&
       errno != EINPROGRESS)) {
    give_up(std::generic_category().message(errno));
    return;
  }
  connection_ = std::make_shared<PeerConnection>(context_, *this);
  const base::Status opened_socket = connection_->open(std::move(fd), true);
  if (!opened_socket.ok()) give_up(opened_socket.message());
}

void PeerDialer::on_up() {
  // Before we say a word: what the certificate does not allow is none of the peer's business.
  const base::Status identity = connection_->check_identity(state_->id);
  if (!identity.ok()) {
    ++context_.tally.wrong_identity;
    give_up(identity.message());
    return;
  }
  connection_->send(encode_hello(context_.hello_to(state_->id, class_, HelloVerdict::kDial)));
  connection_->flush();
}

// ---- the answer

void PeerDialer::on_bytes(base::BytesView fresh) {
  base::Bytes rest;
  if (phase_ == Phase::kConnecting) {
    answer_.append(fresh);
    HelloScan scan = scan_hello(answer_);
    if (scan.state == HelloScan::State::kNeedMore) return;
    if (scan.state == HelloScan::State::kRefused) {
      ++context_.tally.bad_hellos;
      give_up(scan.refusal.message());
      return;
    }
    rest = answer_.substr(scan.bytes);
    fresh = rest;
    on_answer(scan.hello);
    if (phase_ != Phase::kUp) return;
  }
  const base::Status taken = reader_->feed(fresh, [this](bool is_probe, base::Bytes payload) {
    if (is_probe) on_probe_answer(payload);
    return true;
  });
  if (!taken.ok()) {
    ++context_.tally.bad_frames;
    give_up(taken.message());
  }
}

std::optional<std::string> PeerDialer::judge(const Hello& answer) {
  const PeerId wanted = state_->id;
  if (answer.verdict == HelloVerdict::kWrongReceiver || answer.sender != wanted) {
    ++context_.tally.wrong_receiver;
    return base::concat("this is node ", answer.sender.value(), ", wanted was node ",
                        wanted.value());
  }
  if (answer.verdict != HelloVerdict::kAccepted) {
    context_.tally.count_refusal(answer.verdict);
    return base::concat("it refused us: ", verdict_text(answer.verdict));
  }
  if (answer.receiver != context_.options.self || answer.peer_class != class_) {
    ++context_.tally.bad_hellos;
    return "its answer was meant for somebody else";
  }
  if (!context_.may_talk(answer.cluster)) {
    ++context_.tally.wrong_cluster;
    return base::concat("it belongs to cluster ", answer.cluster, ", this node to ",
                        context_.cluster.load());
  }
  return std::nullopt;
}

void PeerDialer::on_answer(const Hello& answer) {
  if (const auto refusal = judge(answer); refusal) {
    give_up(*refusal);
    return;
  }
  opened(answer.cluster);
}

void PeerDialer::opened(std::uint64_t peer_cluster) {
  phase_ = Phase::kUp;
  phase_began_ = context_.now();
  peer_cluster_ = peer_cluster;
  if (dialed_configured_) configured_answered_ = true;
  last_reason_.clear();
  reader_.emplace(0U);  // nothing but probes comes back
  ++context_.tally.outbound;
  if (std::exchange(was_up_, true)) ++state_->reconnects;
  if (class_ == PeerClass::kConsensus) {
    state_->is_connected = true;
    base::log_info("net", base::concat("connected to node ", state_->id.value(), " at ",
                                       format_peer_address(dialed_)));
  }
  queue_.open();
  send_probe(phase_began_);
  connection_->flush();
  const auto& handler = context_.connected[static_cast<std::size_t>(class_)];
  if (handler) handler(state_->id);
}

// ---- sending

void PeerDialer::pump() {
  while (phase_ == Phase::kUp) {
    bool is_empty = false;
    while (connection_->unsent() < kRefillBytes) {
      std::optional<base::Bytes> frame = queue_.pop();
      is_empty = !frame.has_value();
      if (is_empty) break;
      ++state_->frames_out;
      send_frame(*frame, false);
    }
    connection_->flush();
    // What is left goes when the socket has room: on_drained.
    if (is_empty || connection_->unsent() >= kRefillBytes) return;
  }
}

void PeerDialer::send_frame(base::BytesView payload, bool is_probe) {
  base::Bytes frame;
  frame.reserve(kPeerFrameHeaderBytes + payload.size());
  frame.resize(kPeerFrameHeaderBytes);
  store_frame_header(payload, is_probe, frame.data());
  frame.append(payload);
  connection_->send(std::move(frame));
}

// ---- watching

void PeerDialer::send_probe(base::Nanos now) {
  base::Bytes payload;
  base::append_le64(payload, ++probe_);
  send_frame(payload, true);
  probe_is_out_ = true;
  probe_queued_at_ = now;
  probe_end_ = connection_->queued();
  probe_left_at_ = base::Nanos(0);
}

void PeerDialer::on_probe_answer(base::BytesView payload) {
  if (!probe_is_out_ || base::load_le64(payload.data()) != probe_) return;
  probe_is_out_ = false;
  const base::Nanos now = context_.now();
  state_->last_heard = now.count();
  if (class_ == PeerClass::kConsensus) state_->round_trip = (now - probe_queued_at_).count();
}

void PeerDialer::tick(base::Nanos now) {
  if (phase_ == Phase::kConnecting && now - phase_began_ > context_.options.times.hello_timeout) {
    ++context_.tally.hello_timeouts;
    give_up("it did not answer in time");
  } else if (phase_ == Phase::kUp) {
    tick_up(now);
  }
}

void PeerDialer::tick_up(base::Nanos now) {
  const PeerTimes& times = context_.options.times;
  const bool has_left = probe_is_out_ && connection_->written() >= probe_end_;
  if (has_left && probe_left_at_ == base::Nanos(0)) probe_left_at_ = now;
  if ((has_left && now - probe_left_at_ > times.dead_after) ||
      connection_->blocked_for(now) > times.dead_after) {
    ++context_.tally.dead_peers;
    give_up("it does not answer any more");
  } else if (!probe_is_out_ && now - probe_queued_at_ >= times.probe_interval) {
    send_probe(now);
    connection_->flush();
  }
}

void PeerDialer::recheck_cluster() {
  if (phase_ != Phase::kUp || context_.may_talk(peer_cluster_)) return;
  ++context_.tally.wrong_cluster;
  give_up("it belongs to another cluster");
}

// ---- ending

void PeerDialer::on_lost(const std::string& reason) { give_up(reason); }

void PeerDialer::give_up(const std::string& reason) {
  const bool stood = phase_ == Phase::kUp;
  if (stood) {
    queue_.close();
    --context_.tally.outbound;
    if (class_ == PeerClass::kConsensus) state_->is_connected = false;
    // A connection that did not live long does not begin the steps anew.
    if (context_.now() - phase_began_ >= context_.options.times.backoff_max) {
      backoff_ = context_.options.times.backoff_min;
    }
  }
  if (connection_ != nullptr) connection_->close();
  connection_.reset();
  answer_.clear();
  if (reason != last_reason_) {
    last_reason_ = reason;
    context_.log.warn(base::concat(stood ? "lost" : "cannot reach", " node ", state_->id.value(),
                                   " at ", format_peer_address(dialed_), " (",
                                   peer_class_name(class_), "): ", reason));
  }
  wait_and_dial();
}

void PeerDialer::wait_and_dial() {
  phase_ = Phase::kWaiting;
  const double share = 0.5 + context_.random.unit() / 2;
  const base::Nanos delay(static_cast<std::int64_t>(static_cast<double>(backoff_.count()) * share));
  backoff_ = std::min(2 * backoff_, context_.options.times.backoff_max);
  retry_ = context_.dispatcher.run_after(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self != nullptr) self->dial();
  });
}

void PeerDialer::stop() {
  if (phase_ == Phase::kStopped) return;
  if (phase_ == Phase::kUp) --context_.tally.outbound;
  phase_ = Phase::kStopped;
  queue_.close();
  state_->is_connected = false;
  context_.dispatcher.cancel(retry_);
  if (connection_ != nullptr) connection_->close();
  connection_.reset();
}

}  // namespace synod::net
