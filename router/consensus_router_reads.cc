// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "router/consensus_router.h"
#include "router/consensus_router_state.h"

namespace synod::router {

namespace {

/// The core of an image, and with it the image.
ColdReads::Source source_of(const std::shared_ptr<const ReplicaImage>& image) {
  return {image, image->core.get()};
}

/// True if the tables may be read at once: the version that is asked for is complete here and never
/// changes, or the caller is content with what this node has. A version that is not here yet is
/// waited for at every level: to answer with an older one would lose updates.
bool reads_at_once(ReadLevel level, bool leads, const std::optional<core::Version>& at,
                   core::Version visible) {
  if (at && at->value() > 0) return *at <= visible;
  return level == ReadLevel::kLocal || (level == ReadLevel::kLeader && leads);
}

ReadLevel level_of(const RequestContext& context, const ReplicatedOptions& options) {
  return context.read_level == ReadLevel::kDefault ? options.default_read_level
                                                   : context.read_level;
}

}  // namespace

void ConsensusRouter::State::pass(const RequestContext& context, ReadGate::Go go) {
  const base::Nanos patience = now() + options.hold;
  ReadGate::Read read;
  read.go = std::move(go);
  read.worker = context.worker;
  read.give_up = context.deadline ? std::min(*context.deadline, patience) : patience;
  reads.pass(std::move(read));
}

/// From memory at once; what left it comes through the pool.
template <class Request, class Reply>
void ConsensusRouter::State::read_now(const Image& image, Request request,
                                      const RequestContext& context,
                                      base::Function<void(Reply)> done) {
  Reply reply = read_from(*image->core, request, core::ReadWait::kNever);
  if (!reply.is_cold) return done(std::move(reply));
  gate.count_miss();
  cold.read(source_of(image), std::move(request), context, std::move(done));
}

template <class Request, class Reply>
void ConsensusRouter::State::read_any(Request request, const RequestContext& context,
                                      base::Function<void(Reply)> done) {
  gate.count_read();
  const auto image = machine.image();
  if (reads_at_once(level_of(context, options), leads.load(), request.at,
                    image->core->visible_version())) {
    return read_now(image, std::move(request), context, std::move(done));
  }
  pass(context, [this, request = std::move(request), context,
                 done = std::move(done)](bool may_read) mutable {
    if (!may_read) return done(refuse_read<Reply>());
    read_now(machine.image(), std::move(request), context, std::move(done));
  });
}

void ConsensusRouter::read(core::PointReadRequest request, const RequestContext& context,
                           base::Function<void(core::PointReadReply)> done) {
  state_->read_any(std::move(request), context, std::move(done));
}

void ConsensusRouter::read_range(core::RangeReadRequest request, const RequestContext& context,
                                 base::Function<void(core::RangeReadReply)> done) {
  state_->read_any(std::move(request), context, std::move(done));
}

void ConsensusRouter::read_version(const RequestContext& context,
                                   base::Function<void(core::VersionReply)> done) {
  State& state = *state_;
  const auto answer = [&state] {
    core::VersionReply reply;
    reply.version = state.machine.image()->core->visible_version();
    return reply;
  };
  if (reads_at_once(level_of(context, state.options), state.leads.load(), std::nullopt,
                    core::Version(0))) {
    return done(answer());
  }
  state.pass(context, [&state, answer, done = std::move(done)](bool may_read) mutable {
    done(may_read ? answer() : state.refuse_read<core::VersionReply>());
  });
}

}  // namespace synod::router
