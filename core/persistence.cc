// SPDX-License-Identifier: Apache-2.0
#include "core/persistence.h"

#include <algorithm>

#include "base/assert.h"
#include "base/logging.h"
#include "core/state/rows.h"

namespace synod::core {

Persistence::Persistence(base::Dispatcher& dispatcher, WriteBehind& rows,
                         storage::StorageBackend& backend, const PersistenceOptions& options,
                         ColdValues* cold)
    : dispatcher_(dispatcher), rows_(rows), backend_(backend), options_(options), cold_(cold) {}

Persistence::~Persistence() {
  if (pages_ != nullptr) pages_->leave();
}

void Persistence::tend(PageKeeper& pages) {
  SYNOD_ASSERT(pages_ == nullptr, "one store's pages have one attendant");
  if (stopped_) return;
  pages_ = &pages;
  pages_->attend([this] { dispatcher_.post([this] { tend_pages(); }); });
}

/// Comes back by a timer, which stop() can cancel, and lets others go first.
void Persistence::tend_pages() {
  if (stopped_ || pages_ == nullptr) return;
  // A fifth of a millisecond each; four, where a host must find the memory first.
  constexpr int kPieces = 4;
  dispatcher_.cancel(pages_timer_);
  for (int i = 0; i < kPieces; ++i) {
    if (!pages_->work()) return;
  }
  pages_timer_ = dispatcher_.run_after(base::Nanos(0), [this] { tend_pages(); });
}

void Persistence::start_at(LogIndex index) {
  written_.store(index.value());
  durable_.store(index.value());
}

void Persistence::kick() {
  if (options_.linger == base::Nanos(0) || rows_.bytes() >= options_.linger_bytes) {
    if (phase_.exchange(Phase::kDue) == Phase::kDue) return;
    dispatcher_.post([this] { run(); });
    return;
  }
  Phase idle = Phase::kIdle;
  if (!phase_.compare_exchange_strong(idle, Phase::kLingering)) return;
  dispatcher_.post([this] { linger(); });
}

void Persistence::linger() {
  if (stopped_ || phase_.load() != Phase::kLingering) return;
  dispatcher_.cancel(linger_timer_);  // Of a wait that a run has ended meanwhile.
  linger_timer_ = dispatcher_.run_after(options_.linger, [this] { run(); });
}

void Persistence::run() {
  dispatcher_.cancel(linger_timer_);
  dispatcher_.cancel(retry_timer_);
  phase_.store(Phase::kIdle);
  if (stopped_) return;
  (void)write_pending();  // A refusal is logged and retried.
  follow_up();
}

/// Sets the timers for what is left: the retry of a refused batch, the look at what is durable,
/// the next snapshot.
void Persistence::follow_up() {
  serve_cold_values(false);
  if (is_paused()) {
    if (phase_.exchange(Phase::kDue) == Phase::kDue) return;
    retry_timer_ = dispatcher_.run_after(options_.retry_after, [this] { run(); });
  } else if (!polling_ && durable_.load() < written_.load()) {
    polling_ = true;
    poll_timer_ = dispatcher_.run_after(options_.poll_every, [this] { poll(); });
  }
}

/// Takes the snapshot that is due, lets go of those nobody needs, and comes back for the rest.
void Persistence::serve_cold_values(bool at_once) {
  if (cold_ == nullptr || !cold_->is_wanted()) return;
  dispatcher_.cancel(snapshot_timer_);
  const base::Nanos now = dispatcher_.clock().boot_time();
  const base::Nanos wait =
      cold_->is_hurried() ? options_.snapshot_hurried : options_.snapshot_every;
  if (wants_snapshot() && (at_once || now - snapshot_at_ >= wait)) {
    snapshot_at_ = now;
    take_snapshot();
  }
  cold_->release();
  if (stopped_ || (!wants_snapshot() && cold_->held() <= 1)) return;
  const base::Nanos due = std::max(wait - (now - snapshot_at_), options_.snapshot_hurried);
  snapshot_timer_ = dispatcher_.run_after(due, [this] { serve_cold_values(false); });
}

void Persistence::take_snapshot() {
  const base::Status held = cold_->hold(written_version_, backend_);
  if (held.code() == base::StatusCode::kCorruption) {
    base::fail_stop("persistence", held.to_string());
  }
  if (!held.ok()) base::log_warning("persistence", "no snapshot: " + held.to_string());
}

base::Status Persistence::write_pending() {
  for (;;) {
    if (retry_.last == LogIndex(0)) {
      retry_ = rows_.take();
      if (retry_.last == LogIndex(0)) return {};
    }
    const base::Status written = backend_.write(retry_.rows);
    if (written.code() == base::StatusCode::kCorruption) {
      base::fail_stop("persistence", written.to_string());
    }
    const bool was_paused = paused_.exchange(!written.ok());
    if (!written.ok()) {
      if (!was_paused) base::log_warning("persistence", "paused: " + written.to_string());
      return written;
    }
    if (was_paused) base::log_info("persistence", "the backend accepts writes again");
    SYNOD_ASSERT(retry_.last.value() >= written_.load(), "PE1");
    written_.store(retry_.last.value());
    written_version_ = retry_.version;
    retry_ = {};
    serve_cold_values(false);  // PE3: the writer may be as fast as this loop for a long time.
    tend_pages();              // PE4
  }
}

void Persistence::learn_durable() {
  const char key = kAppliedRow;
  const auto row = backend_.get_durable({&key, 1});
  if (!row.ok()) {
    if (row.status().code() == base::StatusCode::kCorruption) {
      base::fail_stop("persistence", row.status().to_string());
    }
    base::log_warning("persistence", "cannot read what is durable: " + row.status().to_string());
    return;
  }
  if (!*row) return;
  const auto applied = parse_applied_row(**row);
  if (!applied.ok()) base::fail_stop("persistence", applied.status().to_string());
  const std::uint64_t index = applied->index.value();
  if (index <= durable_.load()) return;
  durable_.store(index);
  if (progress_) progress_(LogIndex(index));
}

void Persistence::poll() {
  polling_ = false;
  if (stopped_) return;
  learn_durable();
  if (durable_.load() < written_.load()) {
    polling_ = true;
    poll_timer_ = dispatcher_.run_after(options_.poll_every, [this] { poll(); });
  }
}

base::Status Persistence::drain_now(bool flush) {
  SYNOD_RETURN_IF_ERROR(write_pending());
  if (cold_ != nullptr && cold_->is_hurried()) serve_cold_values(true);
  if (!flush) return {};
  const base::Status flushed = backend_.flush();
  if (flushed.code() == base::StatusCode::kCorruption) {
    base::fail_stop("persistence", flushed.to_string());
  }
  SYNOD_RETURN_IF_ERROR(flushed);
  learn_durable();
  return {};
}

void Persistence::request_flush(base::Function<void(base::Status)> done) {
  dispatcher_.post([this, done = std::move(done)]() mutable {
    if (stopped_) {
      done(base::Status(base::StatusCode::kClosed, "the server is stopping"));
      return;
    }
    base::Status flushed = drain_now(true);
    follow_up();
    done(std::move(flushed));
  });
}

void Persistence::stop() {
  stopped_ = true;
  dispatcher_.cancel(linger_timer_);
  dispatcher_.cancel(retry_timer_);
  dispatcher_.cancel(poll_timer_);
  dispatcher_.cancel(snapshot_timer_);
  dispatcher_.cancel(pages_timer_);
  if (pages_ != nullptr) pages_->leave();
}

}  // namespace synod::core
