// SPDX-License-Identifier: Apache-2.0
#include "tests/history/thrift_client.h"

#include <algorithm>

#include "client/cpp/transaction.h"

namespace synod::history {
namespace {

std::vector<Row> own_rows(std::vector<client::Row> rows) {
  std::vector<Row> made;
  made.reserve(rows.size());
  for (client::Row& row : rows) made.push_back({std::move(row.key), std::move(row.value)});
  return made;
}

client::RangeQuery query(const base::Bytes& begin, const base::Bytes& end, std::uint32_t limit) {
  client::RangeQuery made;
  made.begin = begin;
  made.end = end;
  made.limit = limit;
  return made;
}

WriteResult result_of(const client::CommitOutcome& outcome) {
  switch (outcome.state) {
    case client::CommitState::kCommitted:
      return {Outcome::kApplied, outcome.version, ""};
    case client::CommitState::kConflict:
    case client::CommitState::kRefused:
      return {Outcome::kNotApplied, 0, outcome.code + " " + outcome.detail};
    case client::CommitState::kUnknown:
      break;
  }
  return {Outcome::kUnknown, 0, outcome.code + ": " + outcome.message};
}

WriteResult result_of(const base::Result<std::int64_t>& version) {
  if (version.ok()) return {Outcome::kApplied, *version, ""};
  return {outcome_of_failure(version.status()), 0, version.status().to_string()};
}

class ThriftTransaction final : public ClientTransaction {
 public:
  explicit ThriftTransaction(client::Transaction transaction)
      : transaction_(std::move(transaction)) {}

  [[nodiscard]] std::int64_t read_version() const override { return transaction_.read_version(); }
  base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) override {
    return transaction_.get(key);
  }
  base::Result<std::vector<Row>> range(const base::Bytes& begin, const base::Bytes& end,
                                       std::uint32_t limit) override {
    SYNOD_ASSIGN_OR_RETURN(auto rows, transaction_.get_range(query(begin, end, limit)));
    return own_rows(std::move(rows));
  }
  void set(const base::Bytes& key, const base::Bytes& value) override {
    transaction_.set(key, value);
  }
  void increment(const base::Bytes& key, std::int64_t delta) override {
    transaction_.increment(key, delta);
  }
  WriteResult commit() override { return result_of(transaction_.commit()); }
  WriteResult commit_again() override {
    const client::CommitOutcome outcome = transaction_.commit_again();
    // A refusal of the repetition says nothing about the first; a conflict does: it is for ever.
    if (outcome.state != client::CommitState::kRefused) return result_of(outcome);
    return {Outcome::kUnknown, 0, outcome.code};
  }

 private:
  client::Transaction transaction_;
};

class ThriftClient final : public Client {
 public:
  explicit ThriftClient(client::Client client) : client_(std::move(client)) {}

  base::Result<std::unique_ptr<ClientTransaction>> begin() override {
    SYNOD_ASSIGN_OR_RETURN(client::Transaction begun, client_.begin());
    return std::unique_ptr<ClientTransaction>(
        std::make_unique<ThriftTransaction>(std::move(begun)));
  }
  base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) override {
    return client_.get(key);
  }
  WriteResult set(const base::Bytes& key, const base::Bytes& value) override {
    return result_of(client_.set(key, value));
  }
  WriteResult remove(const base::Bytes& key) override { return result_of(client_.remove(key)); }
  base::Result<std::vector<Row>> range_at(const base::Bytes& begin, const base::Bytes& end,
                                          std::int64_t version) override {
    SYNOD_ASSIGN_OR_RETURN(auto rows, client_.range_at(query(begin, end, 0), version));
    return own_rows(std::move(rows));
  }

 private:
  client::Client client_;
};

}  // namespace

Outcome outcome_of_failure(const base::Status& status) {
  switch (status.code()) {
    case base::StatusCode::kInvalidArgument:
    case base::StatusCode::kNotFound:
    case base::StatusCode::kLimitExceeded:
    case base::StatusCode::kBusy:
    case base::StatusCode::kNoSpace:
    case base::StatusCode::kTimeout:  // the server's word; a lost answer is kOutcomeUnknown
    case base::StatusCode::kUnsupported:
    case base::StatusCode::kClosed:  // no node was reached: nothing was sent
      return Outcome::kNotApplied;
    default:
      return Outcome::kUnknown;
  }
}

ClientFactory thrift_clients(std::vector<client::Endpoint> endpoints,
                             client::ClientOptions options) {
  return [endpoints = std::move(endpoints), options = std::move(options)](
             std::optional<std::size_t> thread) -> base::Result<std::unique_ptr<Client>> {
    auto mine = endpoints;
    const auto first = static_cast<std::ptrdiff_t>(thread.value_or(0) % mine.size());
    std::rotate(mine.begin(), mine.begin() + first, mine.end());
    SYNOD_ASSIGN_OR_RETURN(client::Client connected, client::Client::connect(mine, options));
    return std::unique_ptr<Client>(std::make_unique<ThriftClient>(std::move(connected)));
  };
}

}  // namespace synod::history
