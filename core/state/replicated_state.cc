// SPDX-License-Identifier: Apache-2.0
#include "core/state/replicated_state.h"

#include "base/assert.h"
#include "base/codec.h"
#include "base/plant.h"

namespace synod::core {
namespace {

/// A policy that no sane deployment needs to leave; outside it a verdict could take unbounded time.
bool is_sound(const Policy& policy) {
  return policy.semantic_version == 1 && policy.conflict_window_ms >= 0 &&
         policy.conflict_window_ms <= 3'600'000 && policy.sweep_per_operation >= 1 &&
         policy.sweep_per_operation <= 10'000 && policy.sweep_per_tick >= 1 &&
         policy.sweep_per_tick <= 100'000 && policy.tokens_per_client >= 1 &&
         policy.tokens_per_client <= 1'024 && policy.clients_max >= 1 &&
         policy.client_idle_ms >= 0 && policy.marks_max >= 2 &&
         policy.marks_max <= Policy::kMarksMax && policy.value_bytes_max <= (1ULL << 30);
}

}  // namespace

ReplicatedState::ReplicatedState(RowSink& rows)
    : rows_(rows),
      hasher_owner_(std::make_unique<StateHasher>(policy_.hash_seed)),
      hasher_(hasher_owner_.get()),
      tokens_(rows, &hasher_),
      namespaces_(rows, &hasher_) {
  version_clock_.add(Version(0), TimeMs(0));
  marks_hash_.add(hasher_->row(mark_row_key(Version(0)), number_row_value(0)));
}

void ReplicatedState::add_mark(Version version, TimeMs clock) {
  version_clock_.add(version, clock);
  base::Bytes key = mark_row_key(version);
  base::Bytes value = number_row_value(clock.value());
  marks_hash_.add(hasher_->row(key, value));
  rows_.put_row(key, value);
}

void ReplicatedState::advance(Version version, TimeMs clock) {
  SYNOD_ASSERT(version > newest_version_, "S1: versions increase");
  SYNOD_ASSERT(clock >= clock_, "S1: the command clock never goes back");
  newest_version_ = version;
  if (clock > clock_) {
    clock_ = clock;
    add_mark(version, clock);
  }
}

void ReplicatedState::raise_conflict_floor(Version floor, std::size_t marks_max) {
  SYNOD_ASSERT(floor >= conflict_floor_ && floor <= newest_version_, "S1, S2");
  conflict_floor_ = floor;
  for (std::size_t i = 0; i < marks_max && version_clock_.size() > 1; ++i) {
    if (version_clock_.second_oldest().first > conflict_floor_) return;
    const auto [version, clock] = version_clock_.pop_oldest();
    base::Bytes key = mark_row_key(version);
    marks_hash_.subtract(hasher_->row(key, number_row_value(clock.value())));
    rows_.erase_row(key);
  }
}

bool ReplicatedState::accepts_policy(const Policy& policy) const {
  if (!is_sound(policy)) return false;
  if (has_policy_) return policy.hash_seed == policy_.hash_seed;
  return newest_version_ == Version(0);  // The first operation that commits is the policy.
}

void ReplicatedState::set_policy(const Policy& policy) {
  SYNOD_ASSERT(accepts_policy(policy), "an operation is checked before it changes anything");
  if (!has_policy_) {
    hasher_owner_ = std::make_unique<StateHasher>(policy.hash_seed);
    hasher_ = hasher_owner_.get();
    marks_hash_ = StateHash();
    marks_hash_.add(hasher_->row(mark_row_key(Version(0)), number_row_value(0)));
    rows_.put_row(mark_row_key(Version(0)), number_row_value(0));
  }
  policy_ = policy;
  has_policy_ = true;
}

base::Bytes ReplicatedState::scalars_row() const {
  base::Bytes row;
  base::Encoder encoder(row);
  encoder(newest_version_.value(), clock_.value(), conflict_floor_.value(),
          tokens_.token_floor().value(), namespaces_.next_id().value(), has_policy_, policy_);
  return row;
}

void ReplicatedState::flush_scalars() {
  if (!has_policy_) return;
  base::Bytes row = scalars_row();
  if (row == flushed_scalars_) return;
  rows_.put_row({&kScalarsRow, 1}, row);
  flushed_scalars_ = std::move(row);
}

StateHash ReplicatedState::hash() const {
  StateHash sum = marks_hash_;
  sum.add(tokens_.hash());
  sum.add(namespaces_.hash());
  const char key = kScalarsRow;
  sum.add(hasher_->row({&key, 1}, scalars_row()));
  return sum;
}

base::Status ReplicatedState::load_scalars(base::BytesView value) {
  try {
    base::Decoder decoder(value);
    std::int64_t newest = 0;
    std::int64_t clock = 0;
    std::int64_t floor = 0;
    std::int64_t token_floor = 0;
    std::uint32_t next_id = 0;
    Policy policy;
    decoder(newest, clock, floor, token_floor, next_id, has_policy_, policy);
    if (floor > newest || newest < 0 || !is_sound(policy)) {
      return base::Status(base::StatusCode::kCorruption, "the scalars row breaks an invariant");
    }
    newest_version_ = Version(newest);
    clock_ = TimeMs(clock);
    conflict_floor_ = SYNOD_PLANT("floor_local") ? Version(newest) : Version(floor);
    policy_ = policy;
    hasher_owner_ = std::make_unique<StateHasher>(policy.hash_seed);
    hasher_ = hasher_owner_.get();
    marks_hash_ = StateHash();
    version_clock_.clear();
    tokens_.restore_token_floor(Version(token_floor));
    namespaces_.restore_next_id(NamespaceId(next_id));
    flushed_scalars_ = base::Bytes(value);
    if (scalars_row() == value) return {};
    return base::Status(base::StatusCode::kCorruption, "the scalars row is not as it was written");
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

base::Status ReplicatedState::load_row(base::BytesView key, base::BytesView value) {
  if (key.empty()) return base::Status(base::StatusCode::kCorruption, "a row without a key");
  switch (key[0]) {
    case kMarkRow: {
      const auto clock = parse_number_row_value(value);
      if (!clock.ok()) return clock.status();
      const base::Status malformed(base::StatusCode::kCorruption, "a clock mark is malformed");
      if (key.size() != 9 || version_clock_.size() > Policy::kMarksMax) return malformed;
      const Version version(static_cast<std::int64_t>(base::load_be64(key.data() + 1)));
      if (version_clock_.size() > 0 && (version <= version_clock_.newest().first ||
                                        TimeMs(*clock) <= version_clock_.newest().second)) {
        return malformed;
      }
      version_clock_.add(version, TimeMs(*clock));
      marks_hash_.add(hasher_->row(key, value));
      return {};
    }
    case kNamespaceRow:
    case kSweptNamespaceRow:
      return namespaces_.load_row(key, value);
    case kTokenRow:
    case kTokenResultRow:
      return tokens_.load_row(key, value);
    default:
      return base::Status(base::StatusCode::kCorruption, "a row of an unknown kind");
  }
}

base::Status ReplicatedState::check_loaded() const {
  SYNOD_RETURN_IF_ERROR(tokens_.check_loaded());
  if (version_clock_.size() == 0 || version_clock_.newest().second != clock_ ||
      version_clock_.oldest().first > conflict_floor_) {
    return base::Status(base::StatusCode::kCorruption, "clock marks do not match the scalars row");
  }
  return {};
}

}  // namespace synod::core
