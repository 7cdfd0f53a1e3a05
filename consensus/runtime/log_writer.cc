// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/log_writer.h"

#include <iterator>
#include <utility>

namespace synod::consensus {
namespace {

std::size_t bytes_of(const Persist& frame) {
  std::size_t bytes = 0;
  for (const SlotRecord& record : frame.records) bytes += record.entry.bytes();
  return bytes;
}

bool stands_alone(const Persist& frame) { return frame.chain || frame.ends_unknown_tail; }

}  // namespace

bool merge_frames(Persist& into, Persist& next, std::size_t bytes_max) {
  if (stands_alone(into) || stands_alone(next)) return false;
  // The replica counts the versions of its superblock: one for each frame that goes there.
  if (into.is_new_ballot && next.is_new_ballot) return false;
  if (bytes_of(into) + bytes_of(next) > bytes_max) return false;
  into.ticket = next.ticket;
  into.promised = next.promised;
  into.is_new_ballot = into.is_new_ballot || next.is_new_ballot;
  into.commit_hint = std::max(into.commit_hint, next.commit_hint);
  std::move(next.records.begin(), next.records.end(), std::back_inserter(into.records));
  return true;
}

LogWriter::LogWriter(base::Dispatcher& log_strand, base::Dispatcher& background, PaxosLog& log,
                     Options options, Events events)
    : strand_(log_strand),
      background_(background),
      log_(log),
      options_(options),
      events_(std::move(events)),
      inbox_(log_strand, [this](std::vector<Request>& requests) { handle(requests); }) {}

void LogWriter::handle(std::vector<Request>& requests) {
  std::move(requests.begin(), requests.end(), std::back_inserter(waiting_));
  if (!is_full_) return go_on();
  if (!has_failed_) note(cut_all());
}

/// A cut needs nothing that waits before it, and gives space back.
base::Status LogWriter::cut_all() {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    const auto* cut = std::get_if<Cut>(&*each);
    if (cut != nullptr) SYNOD_RETURN_IF_ERROR(log_.cut(cut->slot));
    each = cut != nullptr ? waiting_.erase(each) : std::next(each);
  }
  return base::Status();
}

void LogWriter::go_on() {
  if (has_failed_) return;
  const base::Status status = carry_out();
  if (status.code() == base::StatusCode::kNoSpace) {
    is_full_ = true;
    if (const base::Status cut = cut_all(); !cut.ok()) return note(cut);
    strand_.run_after(options_.space_retry, [this] {
      is_full_ = false;
      go_on();
    });
    return;
  }
  note(status);
  if (status.ok()) prepare_segment();
}

void LogWriter::note(const base::Status& status) {
  if (status.ok() || std::exchange(has_failed_, true)) return;
  events_.on_failed(status);
}

base::Status LogWriter::carry_out() {
  while (!waiting_.empty()) SYNOD_RETURN_IF_ERROR(carry_out_first());
  return base::Status();
}

base::Status LogWriter::carry_out_first() {
  if (auto* frame = std::get_if<Persist>(&waiting_.front())) {
    while (waiting_.size() > 1) {
      auto* next = std::get_if<Persist>(&waiting_[1]);
      if (next == nullptr || !merge_frames(*frame, *next, options_.frame_bytes)) break;
      waiting_.erase(waiting_.begin() + 1);
      frame = &std::get<Persist>(waiting_.front());
    }
    SYNOD_RETURN_IF_ERROR(write_frame(*frame));
  } else if (const auto* cut = std::get_if<Cut>(&waiting_.front())) {
    SYNOD_RETURN_IF_ERROR(log_.cut(cut->slot));
  } else {
    auto& change = std::get<Switch>(waiting_.front());
    // A snapshot may be older than what a new member was told when it was taken in.
    const Chain& known = log_.superblock().chain;
    const Chain& newest = known.as_of > change.chain.as_of ? known : change.chain;
    SYNOD_RETURN_IF_ERROR(log_.set_state_directory(change.directory, change.base, newest));
    change.done();
  }
  waiting_.pop_front();
  return base::Status();
}

base::Status LogWriter::write_frame(Persist& frame) {
  // An image that was installed while this frame waited knows all of an older chain.
  if (frame.chain && frame.chain->as_of < log_.superblock().chain.as_of) frame.chain.reset();
  if (bytes_of(frame) <= options_.frame_bytes || frame.records.size() < 2) {
    SYNOD_RETURN_IF_ERROR(log_.append(frame));
    SYNOD_RETURN_IF_ERROR(log_.sync());
  } else {
    SYNOD_RETURN_IF_ERROR(write_in_parts(frame));
  }
  events_.on_durable(frame);
  return base::Status();
}

/// Each record stands for itself, so a prefix of them is no lie; the ticket is that of the last.
base::Status LogWriter::write_in_parts(const Persist& frame) {
  Persist part{frame.ticket, frame.promised, frame.is_new_ballot, frame.commit_hint,
               {},           frame.chain};
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < frame.records.size(); ++i) {
    bytes += frame.records[i].entry.bytes();
    part.records.push_back(frame.records[i]);
    const bool is_last = i + 1 == frame.records.size();
    const bool is_full =
        !is_last && bytes + frame.records[i + 1].entry.bytes() > options_.frame_bytes;
    if (!is_last && !is_full) continue;
    part.ends_unknown_tail = is_last && frame.ends_unknown_tail;
    SYNOD_RETURN_IF_ERROR(log_.append(part));
    SYNOD_RETURN_IF_ERROR(log_.sync());
    part = Persist{frame.ticket, frame.promised, false, frame.commit_hint, {}, {}};
    bytes = 0;
  }
  return base::Status();
}

void LogWriter::prepare_segment() {
  if (is_preparing_ || !log_.needs_segment()) return;
  is_preparing_ = true;
  background_.post([this] {
    // Without space the log makes its segment when it needs one, and says then what is wrong.
    base::Status status = log_.prepare_segment();
    if (status.code() == base::StatusCode::kNoSpace) status = base::Status();
    strand_.post([this, status] {
      is_preparing_ = false;
      note(status);
    });
  });
}

}  // namespace synod::consensus
