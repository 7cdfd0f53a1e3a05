// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/read_index.h"

#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

std::size_t ReadIndex::waiting() const {
  return queued_.size() + (round_ ? round_->requests.size() : 0);
}

bool ReadIndex::open(Slot commit) {
  if (round_ || queued_.empty()) return false;
  const bool is_reused = SYNOD_PLANT("read_id_reused") && sequence_ != ReadSequence();
  if (!is_reused) sequence_ = sequence_.next();
  SYNOD_ASSERT(sequence_ != ReadSequence(), "R2: the id of no round is never given out");
  round_ = Released{commit, std::exchange(queued_, {})};
  return true;
}

std::optional<ReadIndex::Released> ReadIndex::on_majority(ReadSequence sequence) {
  if (!round_ || sequence < sequence_) return std::nullopt;
  SYNOD_ASSERT(sequence == sequence_, "R2: nobody acknowledges an id that was not given out");
  return std::exchange(round_, std::nullopt);
}

std::vector<ReadRequest> ReadIndex::drain() {
  std::vector<ReadRequest> all = std::exchange(queued_, {});
  if (round_) all.insert(all.end(), round_->requests.begin(), round_->requests.end());
  round_.reset();
  return all;
}

}  // namespace synod::consensus
