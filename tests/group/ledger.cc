// SPDX-License-Identifier: Apache-2.0
#include "tests/group/ledger.h"

#include <poll.h>

#include <chrono>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/text.h"

namespace synod::group {
namespace {

constexpr int kPollMs = 5;

std::string key(const char* side, std::size_t writer, std::size_t n) {
  const std::string digits = std::to_string(n);
  return base::concat(side, writer, "-", std::string(12 - digits.size(), '0'), digits);
}

std::string value_of(std::size_t writer, std::size_t n) {
  return base::concat("value ", writer, ":", n, std::string(n % 300, '.'));
}

Page::Told told_of(client::CommitState state) {
  switch (state) {
    case client::CommitState::kCommitted:
      return Page::Told::kCommitted;
    case client::CommitState::kConflict:
    case client::CommitState::kRefused:
      return Page::Told::kRefused;
    case client::CommitState::kUnknown:
      break;
  }
  return Page::Told::kUnknown;
}

base::Result<std::map<std::string, std::string>> rows_of(client::Client& client, const char* side,
                                                         std::size_t writer, std::size_t from,
                                                         std::size_t to) {
  client::RangeQuery query;
  query.begin = key(side, writer, from);
  query.end = key(side, writer, to);
  SYNOD_ASSIGN_OR_RETURN(auto rows, client.range(query));
  std::map<std::string, std::string> found;
  for (auto& row : rows) found.emplace(std::move(row.key), std::move(row.value));
  return found;
}

base::Status wrong(const std::string& key, const char* what) {
  return {base::StatusCode::kCorruption, base::concat(key, " ", what)};
}

/// One side of a transaction, against what its writer was told.
base::Status compare(const std::map<std::string, std::string>& rows, const std::string& name,
                     const std::string& value, Page::Told told) {
  const auto row = rows.find(name);
  if (row == rows.end()) {
    return told == Page::Told::kCommitted ? wrong(name, "was acknowledged and is lost")
                                          : base::Status();
  }
  if (told == Page::Told::kRefused) return wrong(name, "was refused and is there");
  return row->second == value ? base::Status() : wrong(name, "has another value");
}

}  // namespace

void Ledger::start(const std::vector<client::Endpoint>& endpoints) {
  SYNOD_ASSERT(threads_.empty(), "stopped before it is started again");
  stopping_ = false;
  failures_.assign(pages_.size(), {});
  for (std::size_t writer = 0; writer < pages_.size(); ++writer) {
    threads_.emplace_back([this, writer, endpoint = endpoints[writer % endpoints.size()]] {
      write(writer, endpoint);
    });
  }
}

void Ledger::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Ledger::wait_for(std::uint64_t count, int seconds) const {
  const std::uint64_t target = acknowledged() + count;
  const base::SystemClock clock;
  const base::Nanos end = clock.boot_time() + std::chrono::seconds(seconds);
  while (acknowledged() < target) {
    if (clock.boot_time() > end) return false;
    ::poll(nullptr, 0, kPollMs);
  }
  return true;
}

std::vector<std::string> Ledger::take_failures() {
  std::vector<std::string> all;
  for (std::size_t writer = 0; writer < pages_.size(); ++writer) {
    const auto some = take_failures(writer);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<std::string> Ledger::take_failures(std::size_t writer) {
  SYNOD_ASSERT(threads_.empty(), "only while stopped");
  return std::exchange(failures_[writer], {});
}

void Ledger::write(std::size_t writer, const client::Endpoint& endpoint) {
  Page& page = pages_[writer];
  const auto failed = [&](const std::string& text) { failures_[writer].push_back(text); };
  std::optional<client::Client> client;
  while (!stopping_) {
    if (!client) {
      auto connected = client::Client::connect({endpoint});
      if (!connected.ok()) {
        ::poll(nullptr, 0, kPollMs);
        continue;
      }
      client.emplace(std::move(*connected));
    }
    auto transaction = client->begin();
    if (!transaction.ok()) {
      failed("begin: " + transaction.status().to_string());
      client.reset();
      continue;
    }
    const std::size_t n = page.told.size();
    transaction->set(key("left", writer, n), value_of(writer, n));
    transaction->set(key("right", writer, n), value_of(writer, n));
    const auto outcome = transaction->commit();
    page.told.push_back(told_of(outcome.state));
    if (outcome.state == client::CommitState::kCommitted) {
      acknowledged_.fetch_add(1);
    } else {
      failed(base::concat("commit: ", outcome.code, " ", outcome.message));
    }
  }
}

base::Status Ledger::check(client::Client& client, bool everything) {
  SYNOD_ASSERT(threads_.empty(), "only while stopped");
  for (std::size_t writer = 0; writer < pages_.size(); ++writer) {
    SYNOD_RETURN_IF_ERROR(check_writer(client, writer, everything));
  }
  return {};
}

base::Status Ledger::check_writer(client::Client& client, std::size_t writer, bool everything) {
  Page& page = pages_[writer];
  const std::size_t from = everything ? 0 : page.checked;
  const std::size_t to = page.told.size();
  SYNOD_ASSIGN_OR_RETURN(const auto left, rows_of(client, "left", writer, from, to));
  SYNOD_ASSIGN_OR_RETURN(const auto right, rows_of(client, "right", writer, from, to));
  for (std::size_t n = from; n < to; ++n) {
    const std::string value = value_of(writer, n);
    const std::string left_key = key("left", writer, n);
    const std::string right_key = key("right", writer, n);
    SYNOD_RETURN_IF_ERROR(compare(left, left_key, value, page.told[n]));
    SYNOD_RETURN_IF_ERROR(compare(right, right_key, value, page.told[n]));
    if (left.contains(left_key) != right.contains(right_key)) {
      return wrong(left_key, "is half of a transaction");
    }
    // What was seen once must stay; what is not there may still be on its way.
    if (left.contains(left_key)) page.told[n] = Page::Told::kCommitted;
  }
  page.checked = to;
  return {};
}

}  // namespace synod::group
