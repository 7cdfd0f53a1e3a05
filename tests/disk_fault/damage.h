// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace synod::disk_fault {

/// Where a bit of a stopped replica's data directory is flipped.
enum class Target : std::uint8_t {
  kLogMiddle,      ///< A byte that frames wrote, not in the last one.
  kLogTail,        ///< A byte of the last frame.
  kLogAnywhere,    ///< Any byte of any segment.
  kTable,          ///< The newest SST file of the state.
  kTableManifest,  ///< RocksDB's MANIFEST, written bytes.
  kSnapshot,       ///< A file of the newest snapshot that is no SST.
  kOneSuperblock,  ///< One of the four copies.
  kSuperblocks,    ///< All four copies.
  kIdentity,
};
[[nodiscard]] const char* name_of(Target target);

/// One flipped bit.
struct Flip {
  std::filesystem::path file;
  std::uint64_t offset = 0;
  std::uint8_t bit = 0;

  [[nodiscard]] std::string text() const;
};

/// The same again undoes it.
void apply(const Flip& flip);
/// What to flip; empty if the directory has nothing of the kind.
[[nodiscard]] std::vector<Flip> choose(const std::filesystem::path& directory, Target target,
                                       base::Random& random);
/// A bit of the first place in the log where `text` stands; nullopt if it is nowhere.
[[nodiscard]] std::optional<Flip> find_in_log(const std::filesystem::path& directory,
                                              const std::string& text);

}  // namespace synod::disk_fault
