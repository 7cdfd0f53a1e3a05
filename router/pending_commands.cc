// SPDX-License-Identifier: Apache-2.0
#include "router/pending_commands.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace synod::router {
namespace {

core::Outcome unknown(std::string why) {
  return core::refused(core::OutcomeCode::kOutcomeUnknown, std::move(why));
}

core::Outcome busy() {
  return core::refused(core::OutcomeCode::kBusy, "The leader has too much undecided", 10);
}

}  // namespace

void PendingCommands::add(Command command) {
  bytes_ += command.bytes.size();
  ++live_;
  Entry entry;
  entry.command = std::move(command);
  entries_.emplace_hint(entries_.end(), next_sequence_++, std::move(entry));
}

std::optional<PendingCommands::HandOut> PendingCommands::next() {
  if (is_closed_) return std::nullopt;
  if (resend_ != 0 && resend_ <= last_number_) {
    const std::uint64_t number = std::max(resend_, first_number_);
    const std::uint64_t sequence = channel_[number - first_number_];
    resend_ = number == last_number_ ? 0 : number + 1;
    cursor_number_ = number;
    Entry& again = entries_.at(sequence);
    again.was_repeated = true;
    return HandOut{number, sequence, &again.command.bytes};
  }
  const auto found = entries_.upper_bound(cursor_);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  const std::uint64_t size = entry.command.bytes.size();
  if (in_flight_bytes_ != 0 && in_flight_bytes_ + size > window_bytes_) return std::nullopt;
  SYNOD_ASSERT(entry.number == 0 && !entry.is_ended, "PC1");
  cursor_ = found->first;
  entry.number = ++last_number_;
  cursor_number_ = entry.number;
  in_flight_bytes_ += size;
  channel_.push_back(found->first);
  return HandOut{entry.number, found->first, &entry.command.bytes};
}

void PendingCommands::take_back() {
  Entry& entry = entries_.at(channel_[cursor_number_ - first_number_]);
  if (entry.was_repeated || cursor_number_ != last_number_) {
    resend_ = cursor_number_;
    return;
  }
  // It was the first time: nothing of it is on its way, and nobody knows the number.
  cursor_ = channel_.back() - 1;
  channel_.pop_back();
  --last_number_;
  entry.number = 0;
  in_flight_bytes_ -= entry.command.bytes.size();
}

void PendingCommands::rewind(std::uint64_t number) {
  const std::uint64_t from = std::max(number, consumed_ + 1);
  if (from <= last_number_) resend_ = resend_ == 0 ? from : std::min(resend_, from);
}

void PendingCommands::on_consumed(std::uint64_t number) {
  if (number == 0) return;
  consumed_ = std::max(consumed_, std::min(number - 1, last_number_));
  if (resend_ != 0 && resend_ <= consumed_) resend_ = consumed_ < last_number_ ? consumed_ + 1 : 0;
  release_consumed();
}

/// Ended commands are kept only as long as they may have to be given again: a gap in the numbers
/// would stop the channel.
void PendingCommands::release_consumed() {
  while (!channel_.empty() && first_number_ <= consumed_) {
    const auto found = entries_.find(channel_.front());
    if (found != entries_.end()) {
      if (!found->second.is_ended) break;
      entries_.erase(found);
    }
    channel_.pop_front();
    ++first_number_;
  }
}

PendingCommands::Entries::iterator PendingCommands::by_number(std::uint64_t number) {
  if (number < first_number_ || number > last_number_) return entries_.end();
  return entries_.find(channel_[number - first_number_]);
}

PendingCommands::Finished PendingCommands::finish(Entry& entry, core::Outcome outcome) {
  SYNOD_ASSERT(!entry.is_ended, "PC3");
  entry.is_ended = true;
  --live_;
  bytes_ -= entry.command.bytes.size();
  if (entry.number != 0) in_flight_bytes_ -= entry.command.bytes.size();
  return Finished{std::move(entry.command.done), std::move(outcome), entry.command.submitted};
}

void PendingCommands::drop(Entries::iterator which) {
  if (which->second.number == 0) entries_.erase(which);
}

std::vector<PendingCommands::Finished> PendingCommands::on_executed(std::uint64_t sequence,
                                                                    core::Outcome outcome) {
  std::vector<Finished> finished;
  const auto found = entries_.find(sequence);
  if (found == entries_.end()) return finished;
  Entry& entry = found->second;
  const std::uint64_t number = entry.number;
  if (!entry.is_ended) finished.push_back(finish(entry, std::move(outcome)));
  if (number == 0) {
    entries_.erase(found);
    return finished;
  }
  for (std::uint64_t each = first_number_; each < number; ++each) {
    const auto passed = by_number(each);
    if (passed == entries_.end() || passed->second.is_ended) continue;
    if (passed->second.number == 0 || passed->second.may_be_skipped) continue;
    finished.push_back(finish(passed->second, busy()));
  }
  on_consumed(number + 1);
  return finished;
}

void PendingCommands::on_not_leading(std::uint64_t number) {
  is_closed_ = true;
  const auto found = by_number(number);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  // Its place in the channel stays; the next fence gives it another number.
  if (entry.number == 0 || entry.is_ended) return;
  // Of one copy this was said; another may be in the log already.
  if (entry.was_repeated) return;
  in_flight_bytes_ -= entry.command.bytes.size();
  entry.number = 0;
}

std::optional<PendingCommands::Finished> PendingCommands::on_refused(std::uint64_t number,
                                                                     core::Outcome outcome) {
  const auto found = by_number(number);
  std::optional<Finished> finished;
  if (found != entries_.end() && !found->second.is_ended && found->second.number != 0) {
    finished = finish(found->second, std::move(outcome));
  }
  on_consumed(number + 1);
  return finished;
}

std::vector<PendingCommands::Finished> PendingCommands::pass_fence() {
  std::vector<Finished> finished;
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    const bool is_in_doubt = !entry.is_ended && entry.may_be_skipped && entry.number != 0;
    if (is_in_doubt) {
      finished.push_back(finish(entry, unknown("A snapshot replaced the part of the log in which "
                                               "the outcome may stand")));
    }
    if (entry.is_ended) {
      at = entries_.erase(at);
      continue;
    }
    entry.number = 0;
    entry.may_be_skipped = false;
    entry.was_repeated = false;
    ++at;
  }
  cursor_ = 0;
  channel_.clear();
  first_number_ = 1;
  last_number_ = 0;
  resend_ = 0;
  consumed_ = 0;
  in_flight_bytes_ = 0;
  is_closed_ = false;
  return finished;
}

void PendingCommands::on_skipped() {
  for (auto& [sequence, entry] : entries_) entry.may_be_skipped = entry.number != 0;
}

std::vector<PendingCommands::Finished> PendingCommands::expire(base::Nanos now,
                                                               const Patience& patience,
                                                               const core::Outcome& held) {
  std::vector<Finished> finished;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    Entry& entry = here->second;
    if (entry.is_ended) continue;
    const bool is_late = entry.command.deadline && now > *entry.command.deadline;
    if (entry.number != 0) {
      if (is_late || now > entry.command.submitted + patience.outcome) {
        finished.push_back(finish(entry, unknown("The group did not say in time what became of "
                                                 "the operation")));
      }
    } else if (is_late) {
      finished.push_back(
          finish(entry, core::refused(core::OutcomeCode::kTimeout, "Transaction timed out")));
    } else if (now > entry.command.submitted + patience.hold) {
      finished.push_back(finish(entry, held));
    }
    if (entry.is_ended) drop(here);
  }
  return finished;
}

std::vector<PendingCommands::Finished> PendingCommands::end_all() {
  std::vector<Finished> finished;
  for (auto& [sequence, entry] : entries_) {
    if (entry.is_ended) continue;
    const bool was_out = entry.number != 0;
    finished.push_back(finish(
        entry, was_out ? unknown("The server stopped before the outcome was known")
                       : core::refused(core::OutcomeCode::kBusy, "The server is stopping", 1'000)));
  }
  entries_.clear();
  channel_.clear();
  is_closed_ = true;
  return finished;
}

}  // namespace synod::router
