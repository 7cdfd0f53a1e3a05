// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_log/fixture.h"

#include "base/text.h"

namespace synod::consensus {

using base::Status;

Ballot ballot_of(std::uint64_t round, std::uint32_t config) {
  return {ConfigId(config), Round(round), ReplicaId(1)};
}

Chain chain_of(const std::vector<std::uint64_t>& firsts) {
  Chain chain;
  Configuration first;
  first.id = ConfigId(1);
  first.voters = {{ReplicaId(1), Incarnation(11)}, {kSelf, kDisk}, {ReplicaId(3), Incarnation(33)}};
  first.first = Slot(1);
  chain.configurations.push_back(first);
  for (const std::uint64_t begin : firsts) {
    Configuration next = chain.current();
    next.id = next.id.next();
    next.first = Slot(begin);
    chain.configurations.push_back(next);
  }
  return chain;
}

Entry value_of(const std::string& text, const Ballot& origin) {
  return make_entry(origin, EntryKind::kCommand, text);
}

SlotRecord entry_at(std::uint64_t slot, const Ballot& ballot) {
  std::string text = base::concat(slot, "@", to_string(ballot), ":");
  text.resize(text.size() + slot % 5 * 90, static_cast<char>('a' + slot % 26));
  return {Slot(slot), ballot, value_of(text, ballot), false};
}

SlotRecord restamp_at(std::uint64_t slot, const Ballot& ballot, const Ballot& origin) {
  return {Slot(slot), ballot, entry_at(slot, origin).entry, true};
}

Persist persist_of(const Ballot& promised, std::vector<SlotRecord> records,
                   std::uint64_t commit_hint) {
  Persist persist;
  persist.promised = promised;
  persist.commit_hint = Slot(commit_hint);
  persist.records = std::move(records);
  return persist;
}

std::vector<SlotRecord> entries_at(std::uint64_t first, std::uint64_t last, const Ballot& ballot) {
  std::vector<SlotRecord> records;
  for (std::uint64_t slot = first; slot <= last; ++slot) records.push_back(entry_at(slot, ballot));
  return records;
}

storage::LogOptions small_log(std::uint64_t segment_bytes) {
  return {.segment_bytes = segment_bytes, .frame_bytes_max = 1 << 20};
}

std::string segment_path(std::uint64_t number) {
  return base::concat(kDirectory, "/log/", storage::segment_name(number));
}

std::string superblock_path(char file) {
  return base::concat(kDirectory, "/superblock.", std::string(1, file));
}

Status TestLog::write(const Persist& persist) const {
  SYNOD_RETURN_IF_ERROR(log->append(persist));
  return log->sync();
}

TestLog open_log(storage::FileSystem& files, const OpenWith& with) {
  TestLog opened;
  SuperblockStore::Expected expected = with.expected;
  if (!files.exists(superblock_path('a')) && !files.exists(superblock_path('b'))) {
    expected.incarnation = kDisk;
  }
  auto store = SuperblockStore::open(files, kDirectory, expected, base::Random(with.seed));
  opened.status = store.status();
  if (!store.ok()) return opened;
  if ((*store)->current().formation == DiskState::kBlank) {
    opened.status = (*store)->form(kCluster, with.chain);
    if (!opened.status.ok()) return opened;
  }
  auto result = PaxosLog::open(files, kDirectory, std::move(*store), with.options,
                               base::Random(with.seed + 1), Slot(with.applied));
  opened.status = result.status();
  if (!result.ok()) return opened;
  opened.log = std::move(result->log);
  opened.state = std::move(result->state);
  opened.damages = std::move(result->damages);
  return opened;
}

void Truth::add(const Persist& persist) {
  promised = std::max(promised, persist.promised);
  for (const SlotRecord& record : persist.records) slots[record.slot.value()] = record;
  committed = std::max(committed, persist.commit_hint.value());
}

namespace {

std::string contradiction_at(const RecoveredState& state, const RecoveredSlot& found,
                             const Truth& truth) {
  const auto written = truth.slots.find(found.slot.value());
  const std::string what = base::concat("slot ", found.slot.value(), " ");
  if (written == truth.slots.end()) return found.entry ? what + "was invented" : "";
  const SlotRecord& record = written->second;
  if (!found.entry) {
    return found.ballot < record.ballot ? what + "is unknown with too low a bound" : "";
  }
  if (!is_intact(*found.entry) || !found.entry->same_value(record.entry)) {
    return what + "holds another value: " + text_of(&found);
  }
  const bool is_chosen = found.slot.value() <= truth.committed;
  if (found.ballot != record.ballot && !is_chosen) return what + "has another ballot";
  if (found.ballot > state.promised) return what + "was accepted above the promise";
  return "";
}

}  // namespace

std::string contradiction(const RecoveredState& state, const Truth& truth) {
  if (state.promised < truth.promised) return "the promise went back";
  Slot next = state.base.next();
  for (const RecoveredSlot& found : state.slots) {
    if (found.slot != next) return base::concat("a hole before slot ", found.slot.value());
    next = next.next();
    if (std::string what = contradiction_at(state, found, truth); !what.empty()) return what;
  }
  for (auto at = truth.slots.lower_bound(next.value()); at != truth.slots.end(); ++at) {
    if (!state.unknown_tail) return base::concat("slot ", at->first, " vanished");
    if (*state.unknown_tail < at->second.ballot) return "the tail's bound is too low";
  }
  return "";
}

bool is_whole(const RecoveredState& state) {
  for (const RecoveredSlot& found : state.slots) {
    if (!found.entry) return false;
  }
  return !state.unknown_tail;
}

const RecoveredSlot* find(const RecoveredState& state, std::uint64_t slot) {
  if (slot <= state.base.value() || slot > state.base.value() + state.slots.size()) return nullptr;
  return &state.slots[slot - state.base.value() - 1];
}

std::string text_of(const RecoveredSlot* slot) {
  if (slot == nullptr) return "-";
  return slot->entry ? *slot->entry->command : "?";
}

std::vector<std::uint64_t> frame_offsets(storage::FileSystem& files, const std::string& path) {
  const auto contents = storage::read_file(files, path);
  std::vector<std::uint64_t> offsets;
  if (!contents.ok()) return offsets;
  for (std::uint64_t at = storage::kFramesOffset; at + 4096 < contents->size();) {
    storage::FrameHead head;
    const base::BytesView sector = base::BytesView(*contents).substr(at, storage::kLogSectorBytes);
    if (storage::decode_frame_head(sector, head) != storage::SectorState::kValid) break;
    offsets.push_back(at);
    at += storage::frame_disk_bytes(head.payload_bytes());
  }
  return offsets;
}

void rot_head(storage::SimFileSystem& files, const std::string& path, std::size_t index) {
  files.corrupt(path, frame_offsets(files, path).at(index) + 8, 1);
}

void rot_body(storage::SimFileSystem& files, const std::string& path, std::size_t index) {
  // Behind the head and both summaries, which take at most 44 + 2 * 60 bytes with one run each.
  files.corrupt(path, frame_offsets(files, path).at(index) + 200, 1);
}

}  // namespace synod::consensus
