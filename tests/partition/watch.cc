// SPDX-License-Identifier: Apache-2.0
#include "tests/partition/watch.h"

#include <poll.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "base/text.h"

namespace synod::partition {
namespace {

constexpr const char* kKey = "watch";
constexpr int kPauseMs = 10;  // the nodes have work to do beside this
constexpr std::size_t kViolationsMax = 20;

/// Short enough that a cut of a few seconds sees several reads begin and end.
client::ClientOptions options(bool is_local) {
  client::ClientOptions made;
  made.connect_timeout = base::Millis(1'000);
  made.call_timeout = base::Millis(3'000);
  made.read_level = is_local ? "local" : "linearizable";
  return made;
}

std::uint64_t number_in(const std::optional<base::Bytes>& value) {
  return value ? std::strtoull(value->c_str(), nullptr, 10) : 0;
}

void pause() { ::poll(nullptr, 0, kPauseMs); }

/// The server's word for it, which begins its message; ours where it said none.
std::string code_of(const base::Status& status) {
  const std::string word = status.message().substr(0, status.message().find(':'));
  const bool is_code =
      !word.empty() && word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string::npos;
  return is_code ? word : std::string(base::status_code_name(status.code()));
}

}  // namespace

std::uint64_t ReadCounts::failures() const {
  std::uint64_t sum = 0;
  for (const auto& [code, count] : failed) sum += count;
  return sum;
}

std::string ReadCounts::to_string() const {
  std::string text = base::concat(answered, " answered, ", old, " of them old");
  for (const auto& [code, count] : failed) text += base::concat(", ", count, " ", code);
  return text;
}

void Watch::start() {
  SYNOD_ASSERT(threads_.empty(), "started once");
  threads_.emplace_back([this] { write(); });
  for (std::size_t node = 0; node < endpoints_.size(); ++node) {
    threads_.emplace_back([this, node] { read(node, false); });
    threads_.emplace_back([this, node] { read(node, true); });
  }
}

void Watch::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

ReadCounts Watch::take(ReadCounts& counts) {
  const std::lock_guard lock(mutex_);
  return std::exchange(counts, {});
}

ReadCounts Watch::take_linearizable(std::size_t node) { return take(linearizable_[node]); }
ReadCounts Watch::take_local(std::size_t node) { return take(local_[node]); }

std::vector<std::string> Watch::violations() {
  const std::lock_guard lock(mutex_);
  return violations_;
}

void Watch::write() {
  // Whoever cannot serve is left for the next node.
  for (std::size_t at = 0; !stopping_; ++at) {
    auto client = client::Client::connect({endpoints_[at % endpoints_.size()]}, options(false));
    while (client.ok() && !stopping_ && write_next(*client)) pause();
    pause();
  }
}

bool Watch::write_next(client::Client& client) {
  auto transaction = client.begin();
  if (!transaction.ok()) return false;
  if (!transaction->get(kKey).ok()) return false;
  const std::uint64_t next = attempted_.load() + 1;
  transaction->set(kKey, std::to_string(next));  // W1: conflicts unless what was read is current
  attempted_ = next;
  if (!transaction->commit().committed()) return false;
  acknowledged_ = next;
  return true;
}

void Watch::read(std::size_t node, bool is_local) {
  std::optional<client::Client> client;
  ReadCounts& counts = is_local ? local_[node] : linearizable_[node];
  std::uint64_t last = 0;
  for (; !stopping_; pause()) {
    if (!client) {
      auto connected = client::Client::connect({endpoints_[node]}, options(is_local));
      if (!connected.ok()) continue;
      client.emplace(std::move(*connected));
    }
    const std::uint64_t current = acknowledged_.load();
    const auto value = client->get(kKey);
    const std::uint64_t ceiling = attempted_.load();
    if (value.ok()) {
      judge(node, is_local, number_in(*value), is_local ? last : current, ceiling);
      last = number_in(*value);
    }
    const std::lock_guard lock(mutex_);
    if (value.ok()) {
      ++counts.answered;
      counts.old += number_in(*value) < current ? 1 : 0;
    } else {
      ++counts.failed[code_of(value.status())];
    }
  }
}

void Watch::judge(std::size_t node, bool is_local, std::uint64_t value, std::uint64_t floor,
                  std::uint64_t ceiling) {
  if (floor <= value && value <= ceiling) return;
  const std::lock_guard lock(mutex_);
  if (violations_.size() >= kViolationsMax) return;
  violations_.push_back(base::concat("a ", is_local ? "local" : "linearizable", " read at node ",
                                     node + 1, " found ", value, ", not from ", floor, " to ",
                                     ceiling));
}

}  // namespace synod::partition
