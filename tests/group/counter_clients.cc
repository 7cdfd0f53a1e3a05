// SPDX-License-Identifier: Apache-2.0
#include "tests/group/counter_clients.h"

#include <poll.h>

#include <charconv>

#include "base/text.h"

namespace synod::group {
namespace {

constexpr int kPollMs = 5;

/// A connection that is made again until it stands; none: `stopping`.
std::optional<client::Client> connect(const client::Endpoint& endpoint,
                                      const std::atomic<bool>& stopping) {
  while (!stopping) {
    auto connected = client::Client::connect({endpoint});
    if (connected.ok()) return std::move(*connected);
    ::poll(nullptr, 0, kPollMs);
  }
  return std::nullopt;
}

}  // namespace

void CounterClients::start(const std::vector<client::Endpoint>& endpoints, std::size_t readers) {
  SYNOD_ASSERT(threads_.empty(), "started once");
  for (std::size_t node = 0; node < endpoints.size(); ++node) {
    threads_.emplace_back([this, node, endpoint = endpoints[node]] { add(node, endpoint); });
    for (std::size_t i = 0; i < readers; ++i) {
      threads_.emplace_back([this, node, endpoint = endpoints[node]] { read(node, endpoint); });
    }
  }
}

void CounterClients::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void CounterClients::add(std::size_t node, const client::Endpoint& endpoint) {
  auto client = connect(endpoint, stopping_);
  while (client && !stopping_) {
    auto transaction = client->begin();
    if (!transaction.ok()) {
      note_failure(node, "begin: " + transaction.status().to_string());
      client = connect(endpoint, stopping_);
      continue;
    }
    transaction->increment(kKey, 1);
    begun_.fetch_add(1);
    auto outcome = transaction->commit();
    if (outcome.state == client::CommitState::kUnknown) {
      settled_[node].fetch_add(1);
      outcome = transaction->commit_again();
    }
    if (outcome.state == client::CommitState::kCommitted && outcome.results.size() == 1) {
      note_added(node, outcome.results.front().number);
      continue;
    }
    note_failure(node, base::concat("commit: ", outcome.code, " ", outcome.message));
  }
}

void CounterClients::read(std::size_t node, const client::Endpoint& endpoint) {
  auto client = connect(endpoint, stopping_);
  while (client && !stopping_) {
    const std::int64_t floor = floor_.load();
    const auto value = client->get(kKey);
    if (!value.ok()) {
      note_failure(node, "get: " + value.status().to_string());
      client = connect(endpoint, stopping_);
      continue;
    }
    note_read(node, floor, value->value_or(""));
  }
}

void CounterClients::raise(std::int64_t value) {
  std::int64_t seen = floor_.load();
  while (seen < value && !floor_.compare_exchange_weak(seen, value)) {
  }
}

void CounterClients::note_read(std::size_t node, std::int64_t floor, const std::string& value) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::int64_t begun = begun_.load();
  reads_.fetch_add(1);
  const bool is_number =
      value.empty() || (parsed.ec == std::errc() && parsed.ptr == value.data() + value.size());
  if (!is_number || number < floor || number > begun) {
    const std::lock_guard lock(mutex_);
    violations_.push_back(base::concat("node ", node + 1, " answered '", value, "' when ", floor,
                                       " had been told and ", begun, " begun"));
    return;
  }
  raise(number);
}

void CounterClients::note_added(std::size_t node, std::int64_t number) {
  {
    const std::lock_guard lock(mutex_);
    if (!numbers_.insert(number).second) {
      violations_.push_back(base::concat("two additions returned ", number));
    }
  }
  raise(number);
  acked_[node].fetch_add(1);
}

void CounterClients::note_failure(std::size_t node, const std::string& text) {
  const std::lock_guard lock(mutex_);
  failures_[node].push_back(text);
}

std::vector<std::string> CounterClients::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::vector<std::string> CounterClients::failures(std::size_t node) const {
  const std::lock_guard lock(mutex_);
  return failures_[node];
}

}  // namespace synod::group
