// SPDX-License-Identifier: Apache-2.0
#include "core/state/token_table.h"

#include <algorithm>

#include "base/assert.h"
#include "base/codec.h"
#include "base/plant.h"

namespace synod::core {
namespace {

base::Bytes client_row_key(const ClientId& id) {
  base::Bytes key(1, kTokenRow);
  key.append(id.data(), id.size());
  return key;
}

base::Bytes result_row_key(const ClientId& id, std::int64_t sequence) {
  base::Bytes key(1, kTokenResultRow);
  key.append(id.data(), id.size());
  // The sign bit is flipped so that bytewise order is numeric order.
  base::append_be64(key, static_cast<std::uint64_t>(sequence) ^ (1ULL << 63));
  return key;
}

base::Bytes client_row_value(Version newest, TimeMs last_commit, std::int64_t highest_sequence,
                             std::int64_t first_sequence) {
  base::Bytes value;
  base::Encoder encoder(value);
  encoder(newest.value(), last_commit.value(), highest_sequence, first_sequence);
  return value;
}

base::Bytes encode_result(const Outcome& outcome) {
  base::Bytes value;
  base::Encoder encoder(value);
  encoder(outcome.version.value(), outcome.results);
  return value;
}

base::Result<Outcome> decode_result(base::BytesView bytes) {
  try {
    base::Decoder decoder(bytes);
    Outcome outcome;
    std::int64_t version = 0;
    decoder(version, outcome.results);
    if (decoder.remaining() != 0) base::Decoder::fail("bytes follow a token result");
    outcome.version = Version(version);
    return outcome;
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

/// The lowest of the sequences remembered below `highest_sequence`.
std::int64_t window_first(std::int64_t highest_sequence, const Policy& policy) {
  const std::int64_t others = static_cast<std::int64_t>(policy.tokens_per_client) - 1;
  return highest_sequence < INT64_MIN + others ? INT64_MIN : highest_sequence - others;
}

}  // namespace

std::size_t TokenTable::ClientIdHash::operator()(const ClientId& id) const {
  // The ids come from clients, but the table's iteration order is never observed and a flood of
  // equal hashes is bounded by clients_max; a keyed hash is still the cheap way to be sure.
  static const base::SipKey key = base::random_sip_key();
  return static_cast<std::size_t>(base::siphash13(key, {id.data(), id.size()}));
}

TokenTable::Lookup TokenTable::find(const ClientToken& token, Version read_version) const {
  Lookup lookup;
  const auto found = clients_.find(token.client_id);
  if (found == clients_.end()) {
    if (read_version < token_floor_) lookup.verdict = Verdict::kForgotten;  // T3
    return lookup;
  }
  const Client& client = found->second;
  if (const auto result = client.results.find(token.sequence); result != client.results.end()) {
    auto stored = decode_result(result->second);
    SYNOD_ASSERT(stored.ok(), "results in memory were encoded by remember() or checked by load");
    lookup.verdict = Verdict::kRepeat;  // T1
    lookup.stored = std::move(stored).value();
    return lookup;
  }
  if (token.sequence < client.first_sequence) lookup.verdict = Verdict::kForgotten;  // T2
  return lookup;
}

void TokenTable::put(base::Bytes key, base::Bytes value, const base::Bytes* replaced) {
  if (replaced != nullptr) hash_.subtract((*hasher_)->row(key, *replaced));
  hash_.add((*hasher_)->row(key, value));
  if (SYNOD_PLANT("tokens_not_in_batch")) return;
  rows_.put_row(key, value);
}

void TokenTable::erase(base::Bytes key, const base::Bytes& value) {
  hash_.subtract((*hasher_)->row(key, value));
  rows_.erase_row(key);
}

void TokenTable::remember(const ClientToken& token, const Outcome& outcome, TimeMs clock,
                          const Policy& policy) {
  const bool is_new = !clients_.contains(token.client_id);
  Client& client = clients_[token.client_id];
  std::optional<base::Bytes> replaced;
  if (!is_new) {
    replaced = client_row_value(client.newest, client.last_commit, client.highest_sequence,
                                client.first_sequence);
    by_newest_.erase(client.newest);
  }
  client.newest = outcome.version;
  client.last_commit = clock;
  client.highest_sequence =
      is_new ? token.sequence : std::max(client.highest_sequence, token.sequence);
  client.first_sequence =
      std::max(client.first_sequence, window_first(client.highest_sequence, policy));
  by_newest_.emplace(client.newest, token.client_id);
  put(client_row_key(token.client_id),
      client_row_value(client.newest, client.last_commit, client.highest_sequence,
                       client.first_sequence),
      replaced ? &*replaced : nullptr);
  base::Bytes result = encode_result(outcome);
  put(result_row_key(token.client_id, token.sequence), result, nullptr);
  client.results.emplace(token.sequence, std::move(result));
  while (!client.results.empty() && client.results.begin()->first < client.first_sequence) {
    const auto oldest = client.results.begin();
    erase(result_row_key(token.client_id, oldest->first), oldest->second);
    client.results.erase(oldest);
  }
}

void TokenTable::drop_oldest() {
  const auto [newest, id] = *by_newest_.begin();
  const auto found = clients_.find(id);
  SYNOD_ASSERT(found != clients_.end(), "by_newest_ mirrors clients_");
  for (const auto& [sequence, result] : found->second.results) {
    erase(result_row_key(id, sequence), result);
  }
  erase(client_row_key(id),
        client_row_value(newest, found->second.last_commit, found->second.highest_sequence,
                         found->second.first_sequence));
  token_floor_ = std::max(token_floor_, newest);
  clients_.erase(found);
  by_newest_.erase(by_newest_.begin());
}

void TokenTable::expire(TimeMs clock, const Policy& policy, std::size_t rows_max) {
  for (std::size_t i = 0; i < rows_max && !by_newest_.empty(); ++i) {
    const Client& oldest = clients_.at(by_newest_.begin()->second);
    const bool idle = clock.value() - oldest.last_commit.value() > policy.client_idle_ms;
    if (!idle && clients_.size() <= policy.clients_max) return;
    drop_oldest();
  }
}

base::Status TokenTable::load_row(base::BytesView key, base::BytesView value) {
  const base::Status damaged(base::StatusCode::kCorruption, "a token row is malformed");
  const bool is_result = !key.empty() && key[0] == kTokenResultRow;
  if (key.size() != (is_result ? 25U : 17U)) return damaged;
  ClientId id;
  key.substr(1, 16).copy(id.data(), id.size());
  hash_.add((*hasher_)->row(key, value));
  Client& client = clients_[id];
  if (is_result) {
    auto decoded = decode_result(value);
    if (!decoded.ok()) return decoded.status();
    const auto sequence =
        static_cast<std::int64_t>(base::load_be64(key.data() + 17) ^ (1ULL << 63));
    client.results.emplace(sequence, base::Bytes(value));
    return {};
  }
  try {
    base::Decoder decoder(value);
    std::int64_t newest = 0;
    std::int64_t last_commit = 0;
    decoder(newest, last_commit, client.highest_sequence, client.first_sequence);
    if (decoder.remaining() != 0) return damaged;
    client.newest = Version(newest);
    client.last_commit = TimeMs(last_commit);
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
  if (!by_newest_.emplace(client.newest, id).second) return damaged;
  return {};
}

base::Status TokenTable::check_loaded() const {
  if (by_newest_.size() == clients_.size()) return {};
  return base::Status(base::StatusCode::kCorruption, "a token result has no client row");
}

}  // namespace synod::core
