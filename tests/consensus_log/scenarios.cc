// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_log/scenarios.h"

#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

using storage::CrashPolicy;
using storage::FaultRepeat;
using storage::OpenMode;
using storage::SimFileSystem;

const Ballot b1 = ballot_of(1);
const Ballot b2 = ballot_of(2);
const Ballot b3 = ballot_of(3);

SlotRecord value_at(std::uint64_t slot, const Ballot& ballot, const char* text,
                    const Ballot& origin, bool is_restamp = false) {
  return {Slot(slot), ballot, value_of(text + std::string(400, '.'), origin), is_restamp};
}

base::Bytes contents(SimFileSystem& files, const std::string& path) {
  auto bytes = storage::read_file(files, path);
  return bytes.ok() ? *bytes : base::Bytes();
}

bool overwrite(SimFileSystem& files, const std::string& path, std::uint64_t offset,
               base::BytesView bytes) {
  auto file = files.open(path, OpenMode::kReadWrite);
  return file.ok() && (*file)->write_at(offset, bytes).ok() && (*file)->sync().ok();
}

}  // namespace

/// #1 slot 5 = x@b1; #2 slot 5 = y@b2, lost; #3 restamp of y in b3. x was never proposed in b3.
bool restamp_needs_the_value_it_means() {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 4, b1), 4)).ok()) return false;
    if (!log.write(persist_of(b1, {value_at(5, b1, "x", b1)}, 4)).ok()) return false;
    if (!log.write(persist_of(b2, {value_at(5, b2, "y", b2)}, 4)).ok()) return false;
    if (!log.write(persist_of(b3, {value_at(5, b3, "y", b2, true)}, 4)).ok()) return false;
  }
  rot_body(files, segment_path(1), 2);
  const TestLog log = open_log(files);
  const RecoveredSlot* slot = find(log.state, 5);
  return slot != nullptr && !slot->entry && slot->ballot == b3 && !log.state.unknown_tail &&
         text_of(find(log.state, 4)) != "?";
}

/// #7 slots 11..20 x@b1; #8 slots 11..20 y@b2, its head lost; #9 slot 21 @b2. x must not surface.
bool lost_frame_hides_older_values() {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 10, b1), 10)).ok()) return false;
    if (!log.write(persist_of(b1, entries_at(11, 20, b1), 10)).ok()) return false;
    if (!log.write(persist_of(b2, entries_at(11, 20, b2), 10)).ok()) return false;
    if (!log.write(persist_of(b2, entries_at(21, 21, b2), 10)).ok()) return false;
  }
  rot_head(files, segment_path(1), 2);
  const TestLog log = open_log(files);
  for (std::uint64_t slot = 11; slot <= 20; ++slot) {
    const RecoveredSlot* found = find(log.state, slot);
    if (found == nullptr || found->entry || found->ballot != b2) return false;
  }
  return text_of(find(log.state, 21)) == *entry_at(21, b2).entry.command &&
         text_of(find(log.state, 10)) == *entry_at(10, b1).entry.command;
}

/// The last frame was acknowledged and rots: unknown, not dropped.
bool rotten_last_frame_is_not_torn() {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 4, b1), 2)).ok()) return false;
    if (!log.write(persist_of(b1, entries_at(5, 6, b1), 4)).ok()) return false;
  }
  rot_body(files, segment_path(1), 1);
  const TestLog log = open_log(files);
  return find(log.state, 5) != nullptr && !find(log.state, 5)->entry &&
         find(log.state, 6) != nullptr && !find(log.state, 6)->entry &&
         text_of(find(log.state, 4)) == *entry_at(4, b1).entry.command;
}

/// The head of the last frame rots: the tail is unknown at this open and at the next ones.
bool lost_tail_is_found_again() {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 4, b1), 2)).ok()) return false;
    if (!log.write(persist_of(b1, entries_at(5, 6, b1), 4)).ok()) return false;
  }
  rot_head(files, segment_path(1), 1);
  for (std::uint64_t process = 0; process < 4; ++process) {
    const TestLog log = open_log(files, {.seed = 10 + process});
    if (log.state.unknown_tail != b1 || find(log.state, 3) == nullptr) return false;
    if (find(log.state, 3)->entry || !find(log.state, 2)->entry) return false;
    // A promise alone makes nothing known again.
    if (process == 1 && !log.write(persist_of(b1, {}, 2)).ok()) return false;
  }
  return true;
}

/// A single copy with the highest version, whatever it says, does not hold.
bool single_copy_never_holds() {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b2, {}, 0)).ok()) return false;
  }
  auto store = SuperblockStore::open(files, kDirectory, {kSelf, {}, {}}, base::Random(1));
  if (!store.ok() || (*store)->current().promised != b2) return false;
  Superblock stray = (*store)->current();
  stray.promised = b1;
  stray.version += 5;
  store->reset();
  const base::Bytes copy = encode_superblock_copy(stray.version, encode_superblock_body(stray), 3);
  if (!overwrite(files, superblock_path('b'), kSuperblockCopyBytesMax, copy)) return false;
  store = SuperblockStore::open(files, kDirectory, {kSelf, {}, {}}, base::Random(1));
  return store.ok() && (*store)->current().promised == b2 &&
         (*store)->current().version > stray.version;
}

/// Whatever survives of an append with a new ballot of a new configuration: if the frame is there,
/// so are its promise and its chain.
bool superblock_comes_before_the_frame() {
  const Ballot next = ballot_of(0, 2);
  for (std::uint64_t point = 1; point < 24; ++point) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      SimFileSystem files{base::Random(seed)};
      const TestLog log = open_log(files);
      if (!log.write(persist_of(b1, entries_at(1, 4, b1), 4)).ok()) return false;
      Persist persist = persist_of(next, entries_at(5, 5, next), 4);
      persist.is_new_ballot = true;
      persist.chain = chain_of({5});
      files.set_fail_at(files.io_count() + point, FaultRepeat::kForEver);
      if (log.log->append(persist).ok()) log.log->sync().ignore();  // Fails: the disk is gone.
      files.crash(CrashPolicy::kTorn);
      files.restart();
      const TestLog again = open_log(files, {.seed = 2});
      if (!again.status.ok()) return false;
      for (const RecoveredSlot& slot : again.state.slots) {
        if (slot.ballot > again.log->superblock().promised) return false;
        if (slot.ballot.config > again.state.chain.current().id) return false;
      }
    }
  }
  return true;
}

/// A superblock put back from an older copy of the disk: the frames still know the promise.
bool frames_keep_the_promise_too() {
  SimFileSystem files{base::Random(1)};
  base::Bytes a;
  base::Bytes b;
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 4, b1), 4)).ok()) return false;
    a = contents(files, superblock_path('a'));
    b = contents(files, superblock_path('b'));
    if (!log.write(persist_of(b3, entries_at(5, 5, b3), 4)).ok()) return false;
  }
  if (!overwrite(files, superblock_path('a'), 0, a)) return false;
  if (!overwrite(files, superblock_path('b'), 0, b)) return false;
  const TestLog log = open_log(files);
  return log.status.ok() && log.log->superblock().promised == b1 && log.state.promised == b3;
}

/// Slots 5..8 were accepted in configuration 1, which ended at 4.
bool slots_of_an_ended_configuration_are_void() {
  SimFileSystem files{base::Random(1)};
  const Ballot next = ballot_of(1, 2);
  {
    const TestLog log = open_log(files);
    if (!log.write(persist_of(b1, entries_at(1, 8, b1), 4)).ok()) return false;
    Persist enter = persist_of(ballot_of(0, 2), {}, 4);
    enter.is_new_ballot = true;
    enter.chain = chain_of({5});
    if (!log.write(enter).ok()) return false;
  }
  {
    const TestLog log = open_log(files, {.seed = 2});
    if (log.state.slots.size() != 4 || !is_whole(log.state)) return false;
    if (!log.write(persist_of(next, {entry_at(5, next)}, 4)).ok()) return false;
  }
  const TestLog log = open_log(files, {.seed = 3});
  return log.state.slots.size() == 5 && is_whole(log.state) &&
         text_of(find(log.state, 5)) == *entry_at(5, next).entry.command;
}

}  // namespace synod::consensus
