// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/thrift_session.h"

#include <thrift/TApplicationException.h>
#include <thrift/protocol/TProtocolException.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "net/worker.h"

namespace synod::server {

using apache::thrift::TApplicationException;
using apache::thrift::protocol::TProtocolException;

namespace {

constexpr std::size_t kKeepCodecBytes = 64 * 1024;

}  // namespace

/// Where completions of any thread leave replies for a session that may be gone.
///
/// Those that come on the session's own thread go straight in. The first of a burst from elsewhere
/// wakes the session's dispatcher, the rest ride along.
///
/// Threads: thread-safe. The dispatcher and the session are touched only while not closed.
class ThriftSession::Mailbox final : public ReplyRoute,
                                     public std::enable_shared_from_this<ThriftSession::Mailbox> {
 public:
  Mailbox(ThriftSession& session, base::Dispatcher& dispatcher)
      : session_(session), dispatcher_(dispatcher) {}
  ~Mailbox() override { drop(std::move(first_)); }

  void deliver(std::unique_ptr<ThriftCall> call, const ReplyBody& body) override {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      if (!dispatcher_.is_current()) {
        call->keep(body);
        add(std::move(call));
        return;
      }
    }
    // Only this thread closes, so the session is still there.
    session_.complete(call->number(), body);
    session_.pump();
  }

  void close() {
    std::unique_ptr<ThriftCall> waiting;  // destroyed outside the lock
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      waiting = std::move(first_);
    }
    drop(std::move(waiting));
  }

 private:
  /// The first of a burst wakes the session's dispatcher.
  void add(std::unique_ptr<ThriftCall> call) {
    const bool is_first = first_ == nullptr;
    ThriftCall* const added = call.get();
    (is_first ? first_ : last_->next) = std::move(call);
    last_ = added;
    if (is_first) announce();
  }

  void announce();

  void empty() {
    std::unique_ptr<ThriftCall> call;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      call = std::move(first_);
    }
    while (call != nullptr) {
      session_.complete(call->number(), call->kept());
      call = std::move(call->next);
    }
    session_.pump();
  }

  /// One by one: a long list would nest as many destructors.
  static void drop(std::unique_ptr<ThriftCall> call) {
    while (call != nullptr) call = std::move(call->next);
  }

  class Outbox;
  static thread_local Outbox outbox;

  ThriftSession& session_;
  base::Dispatcher& dispatcher_;
  std::mutex mutex_;
  bool closed_ = false;
  std::unique_ptr<ThriftCall> first_;  ///< Ended elsewhere, in this order.
  ThriftCall* last_ = nullptr;         ///< Of them; means nothing while there are none.
};

/// Mailboxes that got their first reply from this loop in this step. A loop that ends many calls in
/// one step wakes the loop of their sessions once, when it has ended them all.
///
/// Threads: confined to one.
class ThriftSession::Mailbox::Outbox {
 public:
  void add(net::EventLoop& here, std::shared_ptr<Mailbox> mailbox) {
    if (waiting_.empty()) here.at_step_end([this] { flush(); });
    waiting_.push_back(std::move(mailbox));
  }

 private:
  using Mailboxes = std::vector<std::shared_ptr<Mailbox>>;

  void flush() {
    Mailboxes waiting = std::exchange(waiting_, {});
    while (!waiting.empty()) {
      const base::Dispatcher* const to = &waiting.front()->dispatcher_;
      const auto others =
          std::stable_partition(waiting.begin(), waiting.end(),
                                [to](const auto& mailbox) { return &mailbox->dispatcher_ == to; });
      Mailboxes together(std::make_move_iterator(waiting.begin()), std::make_move_iterator(others));
      waiting.erase(waiting.begin(), others);
      post(std::move(together));
    }
  }

  /// All of one dispatcher, which lives as long as one of them is open.
  static void post(Mailboxes together) {
    for (std::size_t i = 0; i < together.size(); ++i) {
      const std::shared_ptr<Mailbox> open = together[i];
      const std::lock_guard lock(open->mutex_);
      if (open->closed_) continue;
      open->dispatcher_.post([together = std::move(together)] {
        for (const auto& mailbox : together) mailbox->empty();
      });
      return;
    }
  }

  Mailboxes waiting_;
};

thread_local ThriftSession::Mailbox::Outbox ThriftSession::Mailbox::outbox;

void ThriftSession::Mailbox::announce() {
  if (net::EventLoop* const here = net::Worker::current()) {
    outbox.add(*here, shared_from_this());
  } else {
    dispatcher_.post([self = shared_from_this()] { self->empty(); });
  }
}

ThriftSession::ThriftSession(net::Connection& connection, const ThriftService& service,
                             const net::ServerLimits& limits, SessionCounters& counters,
                             CallObserver* observer)
    : connection_(connection),
      service_(service),
      limits_(limits),
      counters_(counters),
      observer_(observer),
      mailbox_(std::make_shared<Mailbox>(*this, connection.dispatcher())),
      scanner_({limits.message_bytes_max, limits.depth_max}) {}

ThriftSession::~ThriftSession() { mailbox_->close(); }

void ThriftSession::on_close() {
  mailbox_->close();
  slots_.clear();
}

WireCodec& ThriftSession::codec() {
  if (codec_ == nullptr) codec_ = std::make_unique<WireCodec>(*format_, limits_);
  return *codec_;
}

// ---- calls come in

std::size_t ThriftSession::on_bytes(base::BytesView unread) {
  std::size_t done = 0;
  while (!draining_ && !paused_ && !connection_.reading_paused()) {
    const auto state = scanner_.scan(unread.substr(done));
    if (state == MessageScanner::State::kNeedMore) break;
    if (state == MessageScanner::State::kRefused) {
      refuse(scanner_.refusal());
      return unread.size();
    }
    const std::size_t size = scanner_.message_bytes();
    if (!accept(unread.substr(done, size))) return unread.size();
    scanner_.reset();
    done += size;
  }
  return done;
}

void ThriftSession::refuse(const std::string& reason) {
  counters_.refused_streams.fetch_add(1, std::memory_order_relaxed);
  base::log_debug("server", base::concat("client ", connection_.peer(), " refused: ", reason));
  drain();
}

bool ThriftSession::accept(base::BytesView message) {
  if (!format_.has_value()) format_ = scanner_.format();
  if (*format_ != scanner_.format()) {
    refuse("the client changed its protocol or framing");
    return false;
  }
  counters_.calls.fetch_add(1, std::memory_order_relaxed);
  CallHeader call;
  try {
    call = codec().begin_call(message);
  } catch (const std::exception& error) {
    refuse(base::concat("no header of a call: ", base::escape(error.what())));
    return false;
  }
  const ThriftMethod* method = service_.find(codec().method());
  if (method == nullptr) {
    counters_.unknown_methods.fetch_add(1, std::memory_order_relaxed);
    const std::string name = codec().method();
    codec_.reset();  // it stands before arguments nobody reads
    const std::string text = base::concat("unknown method ", base::escape(name, 256));
    add_exception(call, name, TApplicationException::UNKNOWN_METHOD, text);
    return true;
  }
  Slot slot;
  try {
    if (!codec().is_well_formed(message)) {
      throw TProtocolException(TProtocolException::INVALID_DATA, "the frame holds no message");
    }
    slot.prepared = method->decode(codec().input(), *format_);
  } catch (const std::exception& error) {
    counters_.undecodable.fetch_add(1, std::memory_order_relaxed);
    codec_.reset();  // it stands inside the broken arguments
    const std::string text = base::escape(error.what(), 256);
    add_exception(call, method->name, TApplicationException::PROTOCOL_ERROR, text);
    return true;
  }
  // libthrift's compact protocol keeps a buffer of the largest string it has met.
  if (message.size() > kKeepCodecBytes) codec_.reset();
  slot.call = call;
  slot.order = method->order;
  slot.method = method;
  slot.arrived = observed_time();
  if (slot.order == CallOrder::kBulkRead) ++bulk_reads_;
  slots_.push_back(std::move(slot));
  pump();
  return true;
}

void ThriftSession::add_exception(const CallHeader& call, const std::string& method,
                                  TApplicationException::TApplicationExceptionType type,
                                  const std::string& text) {
  // It takes its place among the replies and completes like a call that was answered at once.
  Slot slot;
  slot.call = call;
  slot.reply = codec().encode_exception(method, call.sequence, type, text);
  slot.done = true;
  held_bytes_ += slot.reply.size();
  slots_.push_back(std::move(slot));
  pump();
}

// ---- calls begin and end

void ThriftSession::pump() {
  if (pumping_) return;  // a call that ended inside its own start: the outer pump goes on
  pumping_ = true;
  do {
    progress_ = false;
    start_ready();
    send_done();
  } while (progress_);
  pumping_ = false;
  update_reading();
}

bool ThriftSession::may_start(CallOrder order) const {
  switch (order) {
    case CallOrder::kWrite:
      return running_reads_ == 0;
    case CallOrder::kRead:
    case CallOrder::kBulkRead:
      return running_writes_ == 0;
    case CallOrder::kFree:
      return true;
  }
  return true;
}

void ThriftSession::start_ready() {
  while (started_ < slots_.size() && may_start(slots_[started_].order)) {
    Slot& slot = slots_[started_];
    const std::uint64_t number = first_number_ + started_;
    ++started_;
    if (slot.done) continue;  // an exception waiting for its turn
    if (slot.order == CallOrder::kWrite) ++running_writes_;
    if (slot.order == CallOrder::kRead || slot.order == CallOrder::kBulkRead) ++running_reads_;
    ThriftCall::begin(std::move(slot.prepared), mailbox_, number);
  }
}

void ThriftSession::complete(std::uint64_t number, const ReplyBody& body) {
  SYNOD_ASSERT(number >= first_number_ && number - first_number_ < started_,
               "R1: a completion is called once, for a call that began");
  Slot& slot = slots_[number - first_number_];
  SYNOD_ASSERT(!slot.done, "R1: a completion is called once");
  slot.done = true;
  if (slot.order == CallOrder::kWrite) --running_writes_;
  if (slot.order == CallOrder::kRead || slot.order == CallOrder::kBulkRead) --running_reads_;
  if (slot.order == CallOrder::kBulkRead) --bulk_reads_;
  if (!slot.call.oneway) {
    slot.reply = codec().encode_reply(slot.method->name, slot.call.sequence, body);
  }
  held_bytes_ += slot.reply.size();
  progress_ = true;
  if (observer_ == nullptr) return;
  observer_->on_call(slot.method->number, slot.method->name, body.code(),
                     observed_time() - slot.arrived);
}

base::Nanos ThriftSession::observed_time() const {
  return observer_ == nullptr ? base::Nanos(0) : connection_.dispatcher().clock().boot_time();
}

void ThriftSession::send_done() {
  while (started_ > 0 && slots_.front().done) {
    Slot slot = slots_.take_front();
    held_bytes_ -= slot.reply.size();
    ++first_number_;
    --started_;
    if (!slot.call.oneway) connection_.send(std::move(slot.reply));
  }
}

// ---- flow

bool ThriftSession::has_room() const {
  return slots_.size() < limits_.in_flight_max && bulk_reads_ == 0 &&
         held_bytes_ <= limits_.output_pause_bytes;
}

void ThriftSession::update_reading() {
  if (draining_) {
    if (slots_.empty()) connection_.close_after_flush();
    return;
  }
  if (has_room() == !paused_) return;
  paused_ = !paused_;
  if (paused_) {
    connection_.pause_reading();
  } else {
    connection_.resume_reading();
  }
}

void ThriftSession::drain() {
  if (draining_) return;
  draining_ = true;
  connection_.pause_reading();
  if (!pumping_) update_reading();
}

}  // namespace synod::server
