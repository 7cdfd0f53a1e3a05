// SPDX-License-Identifier: Apache-2.0
#include "tests/history/memory_store.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace synod::history {
namespace {

constexpr std::int64_t kStaleBy = 20;

bool inside(const base::Bytes& key, const base::Bytes& end) { return end.empty() || key < end; }

}  // namespace

MemoryStore::MemoryStore(std::uint64_t seed, Fault fault, double chance)
    : fault_(fault), chance_(chance), random_(seed) {}

std::int64_t MemoryStore::version() {
  const std::lock_guard lock(mutex_);
  if (!faulty(Fault::kStaleReads)) return version_;
  return std::max<std::int64_t>(1, version_ - random_.between(1, kStaleBy));
}

bool MemoryStore::chance(double probability) {
  const std::lock_guard lock(mutex_);
  return random_.chance(probability);
}

std::optional<base::Bytes> MemoryStore::get_locked(const base::Bytes& key,
                                                   std::int64_t version) const {
  const auto versions = rows_.find(key);
  if (versions == rows_.end()) return std::nullopt;
  const auto above = versions->second.upper_bound(version);
  return above == versions->second.begin() ? std::nullopt : std::prev(above)->second;
}

std::optional<base::Bytes> MemoryStore::get(const base::Bytes& key, std::int64_t version) {
  const std::lock_guard lock(mutex_);
  return get_locked(key, faulty(Fault::kReadsLatest) ? version_ : version);
}

std::vector<Row> MemoryStore::range(const base::Bytes& begin, const base::Bytes& end,
                                    std::uint32_t limit, std::int64_t version) {
  const std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (auto at = rows_.lower_bound(begin); at != rows_.end() && inside(at->first, end); ++at) {
    if (limit != 0 && rows.size() >= limit) break;
    auto value = get_locked(at->first, faulty(Fault::kReadsLatest) ? version_ : version);
    if (value.has_value()) rows.push_back({at->first, std::move(*value)});
  }
  return rows;
}

bool MemoryStore::conflicts(const Commit& request) {
  if (!request.read_version.has_value() || faulty(Fault::kNoConflictCheck)) return false;
  const auto changed = [&](const auto& versions) {
    return !versions.empty() && versions.rbegin()->first > *request.read_version;
  };
  for (const base::Bytes& key : request.keys_read) {
    const auto found = rows_.find(key);
    if (found != rows_.end() && changed(found->second)) return true;
  }
  if (faulty(Fault::kNoRangeConflict)) return false;
  for (const auto& [begin, end] : request.ranges_read) {
    for (auto at = rows_.lower_bound(begin); at != rows_.end() && inside(at->first, end); ++at) {
      if (changed(at->second)) return true;
    }
  }
  return false;
}

void MemoryStore::apply(const Write& write, std::int64_t version) {
  const auto held = get_locked(write.key, version);
  auto& slot = rows_[write.key][version];
  switch (write.kind) {
    case OpKind::kDelete:
      slot = std::nullopt;
      return;
    case OpKind::kAppend:
      slot = list_with(held, write.value);
      if (faulty(Fault::kAppliesTwice)) slot = list_with(slot, write.value);
      return;
    case OpKind::kIncrement: {
      const int times = faulty(Fault::kAppliesTwice) ? 2 : 1;
      slot = std::to_string(std::atoll(held.value_or("0").c_str()) +
                            times * std::atoll(write.value.c_str()));
      return;
    }
    default:
      slot = write.value;
  }
}

std::optional<std::int64_t> MemoryStore::commit(const Commit& request) {
  const std::lock_guard lock(mutex_);
  const bool refused = conflicts(request);
  if (refused && !faulty(Fault::kAppliesRefused)) return std::nullopt;
  ++version_;
  if (faulty(Fault::kLostWrites)) return version_;
  const bool torn = faulty(Fault::kTornCommits);
  for (const Write& write : request.writes) {
    apply(write, version_);
    if (torn) break;
  }
  if (refused) return std::nullopt;
  return version_;
}

MemoryClient::MemoryClient(MemoryStore& store, double unknown, Turnstile* turnstile,
                           std::size_t thread)
    : store_(store), unknown_(unknown), turnstile_(turnstile), thread_(thread) {
  turn();
}

MemoryClient::~MemoryClient() {
  if (turnstile_ != nullptr) turnstile_->leave(thread_);
}

void MemoryClient::turn() {
  if (turnstile_ != nullptr) turnstile_->turn(thread_);
}

class MemoryTransaction final : public ClientTransaction {
 public:
  explicit MemoryTransaction(MemoryClient& client)
      : client_(client), store_(client.store_), unknown_(client.unknown_) {
    client_.turn();
    request_.read_version = store_.version();
  }

  [[nodiscard]] std::int64_t read_version() const override { return *request_.read_version; }

  base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) override {
    client_.turn();
    const auto own = own_.find(key);
    if (own != own_.end()) return std::optional<base::Bytes>(own->second);
    request_.keys_read.push_back(key);
    return store_.get(key, read_version());
  }

  base::Result<std::vector<Row>> range(const base::Bytes& begin, const base::Bytes& end,
                                       std::uint32_t limit) override {
    client_.turn();
    std::map<base::Bytes, base::Bytes> merged;
    for (Row& row : store_.range(begin, end, 0, read_version())) {
      merged.emplace(std::move(row.key), std::move(row.value));
    }
    for (const auto& [key, value] : own_) {
      if (key >= begin && inside(key, end)) merged[key] = value;
    }
    std::vector<Row> rows;
    for (auto& [key, value] : merged) {
      if (limit != 0 && rows.size() >= limit) break;
      rows.push_back({key, std::move(value)});
    }
    const bool cut = limit != 0 && rows.size() >= limit;
    request_.ranges_read.emplace_back(begin, cut ? rows.back().key + '\0' : end);
    return rows;
  }

  void set(const base::Bytes& key, const base::Bytes& value) override {
    request_.writes.push_back({OpKind::kWrite, key, value});
    own_[key] = value;
  }
  void increment(const base::Bytes& key, std::int64_t delta) override {
    request_.writes.push_back({OpKind::kIncrement, key, std::to_string(delta)});
  }

  WriteResult commit() override {
    client_.turn();
    if (request_.writes.empty()) return {Outcome::kApplied, read_version(), ""};
    const bool lost = store_.chance(unknown_);
    if (!lost || store_.chance(0.5)) {
      done_ = true;
      version_ = store_.commit(request_);
    }
    return lost ? WriteResult{Outcome::kUnknown, 0, "the answer is lost"} : result();
  }

  WriteResult commit_again() override {
    client_.turn();
    if (store_.chance(unknown_)) return {Outcome::kUnknown, 0, "lost again"};
    if (!done_) {
      done_ = true;
      version_ = store_.commit(request_);
    }
    return result();
  }

 private:
  [[nodiscard]] WriteResult result() const {
    if (!version_.has_value()) return {Outcome::kNotApplied, 0, "conflict"};
    return {Outcome::kApplied, *version_, ""};
  }

  MemoryClient& client_;
  MemoryStore& store_;
  const double unknown_;
  MemoryStore::Commit request_;
  std::map<base::Bytes, base::Bytes> own_;
  bool done_ = false;
  std::optional<std::int64_t> version_;
};

base::Result<std::unique_ptr<ClientTransaction>> MemoryClient::begin() {
  return std::unique_ptr<ClientTransaction>(std::make_unique<MemoryTransaction>(*this));
}

base::Result<std::optional<base::Bytes>> MemoryClient::get(const base::Bytes& key) {
  turn();
  return store_.get(key, store_.version());
}

WriteResult MemoryClient::write(MemoryStore::Write step) {
  turn();
  const bool lost = store_.chance(unknown_);
  if (lost && store_.chance(0.5)) return {Outcome::kUnknown, 0, "lost before it was done"};
  MemoryStore::Commit request;
  request.writes.push_back(std::move(step));
  const auto version = store_.commit(request);
  if (lost) return {Outcome::kUnknown, 0, "lost after it was done"};
  return {Outcome::kApplied, *version, ""};
}

WriteResult MemoryClient::set(const base::Bytes& key, const base::Bytes& value) {
  return write({OpKind::kWrite, key, value});
}

WriteResult MemoryClient::remove(const base::Bytes& key) {
  return write({OpKind::kDelete, key, ""});
}

base::Result<std::vector<Row>> MemoryClient::range_at(const base::Bytes& begin,
                                                      const base::Bytes& end,
                                                      std::int64_t version) {
  turn();
  return store_.range(begin, end, 0, version);
}

}  // namespace synod::history
