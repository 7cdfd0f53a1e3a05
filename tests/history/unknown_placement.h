// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <vector>

#include "tests/history/history.h"

namespace synod::history {

/// Where in the order of versions the operations belong whose outcome stayed unknown.
///
/// One whose value was read took place, after the version of the last other write to that key that
/// the reader could see and at the latest at the reader's version. One that nobody saw is left
/// out: whatever it did, no read depends on it, unless it deletes or counts, whose effect carries
/// no name; the keys of those, and of all that were placed, are in doubt.
class UnknownPlacement {
 public:
  UnknownPlacement(const std::vector<Operation>& operations,
                   const std::map<std::int64_t, const Operation*>& commits);

  [[nodiscard]] const std::vector<std::pair<std::int64_t, const Operation*>>& placed() const {
    return placed_;
  }
  [[nodiscard]] const std::set<base::Bytes>& doubtful_keys() const { return doubtful_; }
  /// Keys that any unknown operation may have written, seen or not: a refused cas there may have
  /// found what nobody else saw.
  [[nodiscard]] const std::set<base::Bytes>& unknown_keys() const { return unknown_; }

 private:
  struct Candidate {
    const Operation* op = nullptr;
    std::int64_t after = 0;  // the version is above
    std::int64_t until = 0;  // and at most this; 0: nobody saw it
  };
  void find_candidates(const std::vector<Operation>& operations);
  void note_read(const Operation& reader, const base::Bytes& key, const base::Bytes& value);
  void note_reads(const Operation& reader);

  std::vector<Candidate> candidates_;
  std::map<std::pair<base::Bytes, base::Bytes>, std::size_t> by_value_;  // (key, value)
  std::map<base::Bytes, std::set<std::int64_t>> writes_;                 // of known commits
  std::vector<std::pair<std::int64_t, const Operation*>> placed_;
  std::set<base::Bytes> doubtful_;
  std::set<base::Bytes> unknown_;
};

}  // namespace synod::history
