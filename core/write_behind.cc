// SPDX-License-Identifier: Apache-2.0
#include "core/write_behind.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace synod::core {
namespace {

/// A row's place in the order of keys: equal first 16 bytes alone need a look at the key.
struct Rank {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint32_t at = 0;  ///< In the order of writing.
};

std::uint64_t word_at(base::BytesView key, std::size_t offset) {
  if (key.size() >= offset + 8) return base::load_be64(key.data() + offset);
  char padded[8] = {};
  if (key.size() > offset) key.copy(padded, sizeof padded, offset);
  return base::load_be64(padded);
}

char* append(char* to, base::BytesView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

std::uint64_t WriteBehind::Row::size() const {
  return std::uint64_t{key_size} + (is_erased() ? 0 : value_size);
}

void WriteBehind::Chunk::append(Chunk& other) {
  rows.insert(rows.end(), other.rows.begin(), other.rows.end());
  for (Memory& each : other.memory) {
    if (memory.empty() || memory.back() != each) memory.push_back(std::move(each));
  }
  bytes += other.bytes;
}

/// Room for the bytes of one more row, which the caller fills.
char* WriteBehind::add_row(std::size_t key_size, std::size_t value_size, bool is_erased) {
  const std::size_t size = key_size + value_size;
  SYNOD_ASSERT(size < kErased, "admission bounds keys and values");
  char* bytes = nullptr;
  if (size > kMemoryBytes / 4) {
    // Memory of its own: what is left of the shared one stays in use.
    open_.memory.push_back(std::make_shared_for_overwrite<char[]>(size));
    bytes = open_.memory.back().get();
  } else {
    if (kMemoryBytes - memory_used_ < size) {
      memory_ = std::make_shared_for_overwrite<char[]>(kMemoryBytes);
      memory_used_ = 0;
    }
    if (open_.memory.empty() || open_.memory.back() != memory_) open_.memory.push_back(memory_);
    bytes = memory_.get() + memory_used_;
    memory_used_ += size;
  }
  open_.rows.push_back({bytes, static_cast<std::uint32_t>(key_size),
                        is_erased ? kErased : static_cast<std::uint32_t>(value_size)});
  open_.bytes += size;
  return bytes;
}

void WriteBehind::put_row(base::BytesView key, base::BytesView value) {
  append(append(add_row(key.size(), value.size(), false), key), value);
}

void WriteBehind::erase_row(base::BytesView key) { append(add_row(key.size(), 0, true), key); }

void WriteBehind::put_entry(const KeyRef& ref, const RecordHeader& header, base::BytesView value) {
  const EntryRowHead key_head = entry_row_key_head(ref);
  const EntryRowHead value_head = entry_row_value_head(header);
  char* to = add_row(key_head.size + ref.key.size(), value_head.size + value.size(), false);
  to = append(append(to, key_head.view()), ref.key);
  append(append(to, value_head.view()), value);
}

void WriteBehind::erase_entry(const KeyRef& ref) {
  const EntryRowHead key_head = entry_row_key_head(ref);
  append(append(add_row(key_head.size + ref.key.size(), 0, true), key_head.view()), ref.key);
}

void WriteBehind::seal(LogIndex index, Version version) {
  {
    const std::lock_guard lock(mutex_);
    if (sealed_.empty()) sealed_.emplace_back();
    sealed_.back().append(open_);
    bytes_.fetch_add(open_.bytes, std::memory_order_relaxed);
    last_ = index;
    version_ = version;
    if (sealed_.back().bytes >= kChunkBytes) close_chunk();
  }
  open_.rows.clear();
  open_.memory.clear();
  open_.bytes = 0;
}

/// REQUIRES: the mutex is held. A chunk is small enough that whoever waits for it waits for less
/// than a millisecond.
void WriteBehind::close_chunk() {
  if (bytes() >= kBehindBytes) {
    const std::size_t count = sealed_.size();
    // Together with the one before if that is small: the rows of a small set stay one chunk.
    const std::size_t begin =
        count > 1 && sealed_[count - 2].bytes < kChunkBytes / 2 ? count - 2 : count - 1;
    const std::span<Chunk> joined(sealed_.data() + begin, count - begin);
    std::uint64_t before = 0;
    for (const Chunk& chunk : joined) before += chunk.bytes;
    const std::vector<Row> rows = newest_rows(joined);
    std::uint64_t after = 0;
    for (const Row& row : rows) after += row.size();
    if (after <= before / 2) {
      Chunk compact = copy_rows(rows, after);
      sealed_.resize(begin);
      sealed_.push_back(std::move(compact));
      bytes_.fetch_sub(before - after, std::memory_order_relaxed);  // WB3
    }
  }
  sealed_.emplace_back();
}

/// In the order of keys, which makes the backend's inserts cheap; of equal keys the last.
std::vector<WriteBehind::Row> WriteBehind::newest_rows(std::span<const Chunk> chunks) {
  std::vector<Row> all;
  std::size_t count = 0;
  for (const Chunk& chunk : chunks) count += chunk.rows.size();
  all.reserve(count);
  for (const Chunk& chunk : chunks) all.insert(all.end(), chunk.rows.begin(), chunk.rows.end());
  SYNOD_ASSERT(count < UINT32_MAX, "the backlog is bounded");
  std::vector<Rank> ranks;
  ranks.reserve(count);
  for (const Row& row : all) {
    const auto at = static_cast<std::uint32_t>(ranks.size());
    ranks.push_back({word_at(row.key(), 0), word_at(row.key(), 8), at});
  }
  std::sort(ranks.begin(), ranks.end(), [&all](const Rank& a, const Rank& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.second != b.second) return a.second < b.second;
    const int order = all[a.at].key().compare(all[b.at].key());
    return order != 0 ? order < 0 : a.at < b.at;
  });
  std::vector<Row> newest;
  newest.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_last = i + 1 == count || all[ranks[i].at].key() != all[ranks[i + 1].at].key();
    if (is_last) newest.push_back(all[ranks[i].at]);
  }
  return newest;
}

WriteBehind::Chunk WriteBehind::copy_rows(const std::vector<Row>& rows, std::uint64_t bytes) {
  Chunk copy;
  copy.memory.push_back(std::make_shared_for_overwrite<char[]>(bytes));
  char* to = copy.memory.back().get();
  for (const Row& row : rows) {
    copy.rows.push_back({to, row.key_size, row.value_size});
    to = append(to, {row.bytes, static_cast<std::size_t>(row.size())});
  }
  copy.bytes = bytes;
  return copy;
}

WriteBehind::Batch WriteBehind::take() {
  std::vector<Chunk> taken;
  Batch batch;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(sealed_);
    batch.claim = Claim(taken_bytes_, bytes());
    bytes_.store(0, std::memory_order_relaxed);
    batch.last = std::exchange(last_, LogIndex(0));
    batch.version = version_;
  }
  const std::vector<Row> rows = newest_rows(taken);
  batch.rows.reserve(rows.size());
  for (const Row& row : rows) {
    const base::BytesView value(row.bytes + row.key_size, row.is_erased() ? 0 : row.value_size);
    batch.rows.add_view({row.key(), row.is_erased() ? std::nullopt : std::optional(value)});
  }
  for (Chunk& chunk : taken) {
    for (Memory& memory : chunk.memory) batch.rows.keep(std::move(memory));
  }
  return batch;
}

}  // namespace synod::core
