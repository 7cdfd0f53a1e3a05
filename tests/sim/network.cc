// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

#include <utility>

namespace synod::sim {

Network::Network(Scheduler& scheduler, Tally& tally, std::size_t nodes, Deliver deliver)
    : scheduler_(scheduler),
      tally_(tally),
      nodes_(nodes),
      deliver_(std::move(deliver)),
      links_(nodes * nodes) {}

void Network::send(std::size_t from, std::size_t to, base::Bytes frame) {
  base::Random& random = scheduler_.random();
  if (link(from, to).is_cut) return tally_.add(Count::kDropped);
  if (faults_.loss > 0 && random.chance(faults_.loss)) {
    tally_.add(Count::kLost);
    return tally_.add(Count::kDropped);
  }
  if (faults_.duplication > 0 && random.chance(faults_.duplication)) {
    tally_.add(Count::kDuplicated);
    launch(from, to, frame);
  }
  launch(from, to, std::move(frame));
}

void Network::launch(std::size_t from, std::size_t to, base::Bytes frame) {
  base::Random& random = scheduler_.random();
  std::size_t place = flights_.size();
  if (free_.empty()) {
    flights_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
  }
  Flight& flight = flights_[place];
  flight.frame = std::move(frame);
  flight.from = from;
  flight.to = to;
  flight.is_damaged = false;
  if (faults_.corruption > 0 && random.chance(faults_.corruption)) damage(flight);
  const auto spread = static_cast<std::uint64_t>((faults_.delay_high - faults_.delay_low).count());
  Nanos delay = faults_.delay_low + Nanos(static_cast<std::int64_t>(random.below(spread + 1)));
  delay += link(from, to).slower;
  if (faults_.reorder > 0 && random.chance(faults_.reorder)) {
    tally_.add(Count::kReordered);
    delay *= static_cast<std::int64_t>(2 + random.below(50));
  }
  scheduler_.after(delay, [this, place] { arrive(place); });
}

void Network::damage(Flight& flight) {
  base::Random& random = scheduler_.random();
  const auto bit = static_cast<char>(1U << random.below(8));
  char& byte = flight.frame[random.below(flight.frame.size())];
  byte = static_cast<char>(byte ^ bit);
  flight.is_damaged = true;
  tally_.add(Count::kCorrupted);
}

void Network::arrive(std::size_t place) {
  Flight flight = std::move(flights_[place]);
  free_.push_back(place);
  // A cut also swallows what is under way.
  if (link(flight.from, flight.to).is_cut) return tally_.add(Count::kDropped);
  deliver_(flight.to, flight.frame, flight.is_damaged);
}

void Network::partition(std::uint64_t sides) {
  for (std::size_t from = 0; from < nodes_; ++from) {
    for (std::size_t to = 0; to < nodes_; ++to) {
      const bool is_apart = ((sides >> from) & 1U) != ((sides >> to) & 1U);
      if (is_apart) link(from, to).is_cut = true;
    }
  }
}

void Network::heal() {
  for (Link& each : links_) each = Link();
}

}  // namespace synod::sim
