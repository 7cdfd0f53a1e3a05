// SPDX-License-Identifier: Apache-2.0
#include "tests/disk_fault/damage.h"

#include <algorithm>
#include <fstream>
#include <functional>

#include "base/assert.h"
#include "base/text.h"

namespace synod::disk_fault {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLogBlock = 4096;
constexpr std::uint64_t kFirstFrame = 2 * kLogBlock;
constexpr std::uint64_t kSuperblockCopy = 64 << 10;

std::string contents_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// In order of their names.
std::vector<fs::path> files_below(const fs::path& directory,
                                  const std::function<bool(const fs::path&)>& wanted) {
  std::vector<fs::path> files;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.file_size() > 0 && wanted(entry.path())) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The image in force; others are gone once a replica runs.
fs::path state_of(const fs::path& directory) {
  fs::path found = directory / "db";
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("image-")) found = entry.path();
  }
  return found;
}

std::vector<fs::path> segments_of(const fs::path& directory) {
  return files_below(directory / "log",
                     [](const fs::path& path) { return path.extension() == ".seg"; });
}

/// Where the frames of a segment end, rounded up to blocks; the seal is left out.
std::uint64_t frames_end(const std::string& bytes) {
  const std::size_t last = bytes.find_last_not_of('\0', bytes.size() - kLogBlock - 1);
  return last == std::string::npos ? 0 : (last / kLogBlock + 1) * kLogBlock;
}

Flip in(const fs::path& file, std::uint64_t offset, base::Random& random) {
  return {file, offset, static_cast<std::uint8_t>(random.below(8))};
}

/// A byte of [lo, hi) that is not zero: it was written.
Flip in_written(const fs::path& file, const std::string& bytes, std::uint64_t lo, std::uint64_t hi,
                base::Random& random) {
  std::uint64_t offset = lo;
  do {
    offset = lo + random.below(hi - lo);
  } while (bytes[offset] == '\0');
  return in(file, offset, random);
}

std::vector<Flip> in_log(const fs::path& directory, Target target, base::Random& random) {
  std::vector<fs::path> segments = segments_of(directory);
  if (target == Target::kLogAnywhere) {
    const fs::path& file = segments[random.below(segments.size())];
    return {in(file, random.below(fs::file_size(file)), random)};
  }
  std::erase_if(segments,
                [](const fs::path& file) { return frames_end(contents_of(file)) <= kFirstFrame; });
  if (segments.empty()) return {};
  const bool is_tail = target == Target::kLogTail;
  const fs::path& file = is_tail ? segments.back() : segments[random.below(segments.size())];
  const std::string bytes = contents_of(file);
  const std::uint64_t end = frames_end(bytes);
  if (is_tail) return {in_written(file, bytes, end - kLogBlock, end, random)};
  const std::uint64_t hi = std::max(kFirstFrame + kLogBlock, end - kLogBlock);
  return {in_written(file, bytes, kFirstFrame, hi, random)};
}

std::vector<Flip> anywhere_in(const std::vector<fs::path>& files, base::Random& random) {
  if (files.empty()) return {};
  const fs::path& file = files[random.below(files.size())];
  return {in(file, random.below(fs::file_size(file)), random)};
}

std::vector<Flip> in_superblocks(const fs::path& directory, bool is_one, base::Random& random) {
  std::vector<Flip> flips;
  for (const char* name : {"superblock.a", "superblock.b"}) {
    const fs::path file = directory / name;
    const std::string bytes = contents_of(file);
    const std::size_t first_end = bytes.find_last_not_of('\0', kSuperblockCopy - 1) + 1;
    flips.push_back(in(file, random.below(first_end), random));
    flips.push_back(
        in(file, kSuperblockCopy + random.below(bytes.size() - kSuperblockCopy), random));
  }
  if (is_one) return {flips[random.below(flips.size())]};
  return flips;
}

std::vector<Flip> in_snapshot(const fs::path& directory, base::Random& random) {
  return anywhere_in(files_below(directory / "snap",
                                 [](const fs::path& path) { return path.extension() != ".sst"; }),
                     random);
}

}  // namespace

const char* name_of(Target target) {
  switch (target) {
    case Target::kLogMiddle:
      return "middle of the log";
    case Target::kLogTail:
      return "last frame of the log";
    case Target::kLogAnywhere:
      return "anywhere in the log";
    case Target::kTable:
      return "newest SST";
    case Target::kTableManifest:
      return "MANIFEST";
    case Target::kSnapshot:
      return "snapshot";
    case Target::kOneSuperblock:
      return "one superblock copy";
    case Target::kSuperblocks:
      return "all superblock copies";
    case Target::kIdentity:
      return "IDENTITY";
  }
  SYNOD_ASSERT(false, "a Target outside its enumeration");
}

std::string Flip::text() const {
  return base::concat(file.string(), " at ", offset, " bit ", static_cast<int>(bit));
}

void apply(const Flip& flip) {
  std::fstream file(flip.file, std::ios::in | std::ios::out | std::ios::binary);
  SYNOD_ASSERT(file.is_open(), "chosen among the files that are there");
  file.seekg(static_cast<std::streamoff>(flip.offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(flip.offset));
  file.put(static_cast<char>(byte ^ (1 << flip.bit)));
}

std::vector<Flip> choose(const fs::path& directory, Target target, base::Random& random) {
  switch (target) {
    case Target::kLogMiddle:
    case Target::kLogTail:
    case Target::kLogAnywhere:
      return in_log(directory, target, random);
    case Target::kTable: {
      const auto tables = files_below(
          state_of(directory), [](const fs::path& path) { return path.extension() == ".sst"; });
      return tables.empty() ? std::vector<Flip>() : anywhere_in({tables.back()}, random);
    }
    case Target::kTableManifest:
      return anywhere_in(files_below(state_of(directory),
                                     [](const fs::path& path) {
                                       return path.filename().string().starts_with("MANIFEST");
                                     }),
                         random);
    case Target::kSnapshot:
      return in_snapshot(directory, random);
    case Target::kOneSuperblock:
    case Target::kSuperblocks:
      return in_superblocks(directory, target == Target::kOneSuperblock, random);
    case Target::kIdentity:
      return anywhere_in({directory / "IDENTITY"}, random);
  }
  SYNOD_ASSERT(false, "a Target outside its enumeration");
}

std::optional<Flip> find_in_log(const fs::path& directory, const std::string& text) {
  for (const fs::path& file : segments_of(directory)) {
    const std::size_t at = contents_of(file).find(text);
    if (at != std::string::npos) return Flip{file, at, 0};
  }
  return std::nullopt;
}

}  // namespace synod::disk_fault
