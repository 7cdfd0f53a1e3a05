// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace synod::core {

/// Frees what one writer unlinks, once no reader can still hold it.
///
/// Owned by the database beside the tables; must outlive them and every guard.
///
/// Invariants
///   E1  A guard's slot holds an epoch that is not above the global epoch at the time the guard's
///       first pointer load happens.
///   E2  An object is retired only after the last pointer to it was unlinked.
///   E3  An object retired in epoch r is destroyed only when every occupied slot holds an epoch
///       above r: such readers saw the unlinking when they read the epoch.
///
/// Threads: enter() and Guard from any thread; everything else from the one writer.
/// Failure: with all 256 slots taken enter() yields until one is free; it takes no lock.
class EpochManager {
 public:
  /// Keeps everything a reader reaches alive; hold it briefly, never over I/O. Guards may nest.
  class Guard {
   public:
    Guard(Guard&& other) noexcept : slot_(other.slot_) { other.slot_ = nullptr; }
    Guard& operator=(Guard&& other) noexcept {
      if (this != &other) {
        leave();
        slot_ = other.slot_;
        other.slot_ = nullptr;
      }
      return *this;
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { leave(); }

   private:
    friend class EpochManager;
    explicit Guard(std::atomic<std::uint64_t>* slot) : slot_(slot) {}
    void leave() {
      if (slot_ != nullptr) slot_->store(0, std::memory_order_release);
      slot_ = nullptr;
    }

    std::atomic<std::uint64_t>* slot_;
  };

  explicit EpochManager();
  /// REQUIRES: no guard is alive. Destroys everything that is still retired.
  ~EpochManager();
  EpochManager(const EpochManager&) = delete;
  EpochManager& operator=(const EpochManager&) = delete;

  [[nodiscard]] Guard enter() const;

  /// Writer. REQUIRES: no new reader can reach `object`. `destroy` runs in a later collect() or in
  /// the destructor, on the writer's thread; it may retire more.
  void retire(void* object, void (*destroy)(void*));

  /// Writer. Advances the epoch and destroys what no reader can hold, at most `objects_max` of it
  /// so that the writer can bound its pause.
  void collect(std::size_t objects_max = SIZE_MAX);

  /// Writer. Destroys everything that is still retired. REQUIRES: no guard is alive.
  void drain();

  /// Writer. Objects waiting to be destroyed.
  [[nodiscard]] std::size_t retired_count() const { return retired_.size(); }

 private:
  static constexpr std::size_t kSlots = 256;

  /// 0: free. A line each, so that readers never share one.
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> epoch{0};
  };
  struct Retired {
    void* object;
    void (*destroy)(void*);
    std::uint64_t epoch;
  };

  /// The lowest epoch any reader may be in; the current one when there is no reader.
  [[nodiscard]] std::uint64_t oldest_reader(std::uint64_t current) const;

  alignas(64) std::atomic<std::uint64_t> epoch_{1};
  mutable std::array<Slot, kSlots> slots_;
  std::deque<Retired> retired_;  // In order of epoch.
};

}  // namespace synod::core
