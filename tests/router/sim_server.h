// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/sim_loop.h"
#include "router/standalone.h"
#include "storage/sim_file.h"
#include "tests/router/held_dispatcher.h"

namespace synod::router {

/// A whole standalone server below `net` on one simulated loop: its threads are dispatchers of the
/// loop, its disk is a SimFileSystem, and both survive the process, which may be opened, killed
/// and opened again.
class SimServer {
 public:
  explicit SimServer(std::uint64_t seed, Durability durability = Durability::kSync);
  ~SimServer();

  /// Starts a process on the disk as it is.
  [[nodiscard]] base::Status open();
  /// Ends the process where it stands. Its tasks are gone; the disk keeps what `files()` decides.
  void stop_process();
  /// Power cut, then a new process may open.
  void power_cut(storage::CrashPolicy policy);

  /// Submits and remembers the outcome when it comes; returns the position in outcomes().
  std::size_t submit(core::KvOperation operation);
  /// Runs until all submitted operations are answered, the process died, or nothing happens.
  void settle(base::Nanos span = std::chrono::seconds(2));

  [[nodiscard]] const std::vector<std::optional<core::Outcome>>& outcomes() const {
    return *outcomes_;
  }
  [[nodiscard]] bool died() const { return died_; }
  [[nodiscard]] bool is_open() const { return store_ != nullptr; }
  [[nodiscard]] Standalone& store() { return *store_; }
  [[nodiscard]] storage::SimFileSystem& files() { return files_; }
  /// Of the next process.
  [[nodiscard]] StandaloneOptions& options() { return options_; }
  [[nodiscard]] base::SimLoop& loop() { return loop_; }
  /// The threads that read values which left memory stand still.
  void hold_readers(bool is_held) {
    for (const auto& reader : pool_) reader->hold(is_held);
  }
  /// The value of `key` now; nullopt if missing.
  [[nodiscard]] std::optional<std::string> get(const std::string& key);

 private:
  base::SimLoop loop_;
  storage::SimFileSystem files_;
  base::SimDispatcher& commit_;
  base::SimDispatcher& persistence_;
  base::SimDispatcher& storage_;
  std::vector<base::SimDispatcher*> readers_;
  std::vector<std::unique_ptr<HeldDispatcher>> pool_;
  StandaloneOptions options_;
  std::unique_ptr<Standalone> store_;
  std::shared_ptr<std::vector<std::optional<core::Outcome>>> outcomes_;
  bool died_ = false;
};

/// Shorthand for the operations of the tests.
[[nodiscard]] core::Step set_step(std::string key, std::string value, std::int64_t ttl_ms = 0);
[[nodiscard]] core::KvOperation operation_of(std::vector<core::Step> steps);

}  // namespace synod::router
