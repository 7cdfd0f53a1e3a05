// SPDX-License-Identifier: Apache-2.0
#include "router/run_record.h"

#include "base/crc32c.h"

namespace synod::router {
namespace {

// Grammar: magic "SYNODRUN" format:le32 durability:u8 is_clean:u8 zero:le16 ceiling:le64 crc:le32
constexpr std::string_view kName = "RUN";
constexpr std::string_view kMagic = "SYNODRUN";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kBytes = 28;

}  // namespace

std::string_view durability_name(Durability durability) {
  switch (durability) {
    case Durability::kSync:
      return "sync";
    case Durability::kBatched:
      return "batched";
    case Durability::kAsync:
      return "async";
  }
  SYNOD_ASSERT(false, "a Durability outside its enumeration");
}

std::optional<Durability> parse_durability(std::string_view name) {
  for (const auto mode : {Durability::kSync, Durability::kBatched, Durability::kAsync}) {
    if (name == durability_name(mode)) return mode;
  }
  return std::nullopt;
}

base::Result<std::optional<RunRecord>> read_run_record(storage::FileSystem& files,
                                                       const std::string& directory) {
  const std::string path = directory + "/" + std::string(kName);
  if (!files.exists(path)) return std::optional<RunRecord>();
  SYNOD_ASSIGN_OR_RETURN(const base::Bytes bytes, storage::read_file(files, path));
  const base::Status damaged(base::StatusCode::kCorruption, path + ": damaged at offset 0");
  if (bytes.size() != kBytes || bytes.substr(0, kMagic.size()) != kMagic) return damaged;
  const base::BytesView covered(bytes.data(), kBytes - 4);
  if (base::crc32c(covered) != base::load_le32(bytes.data() + kBytes - 4)) return damaged;
  if (base::load_le32(bytes.data() + 8) != kFormat || bytes[12] > 2) return damaged;
  RunRecord record;
  record.durability = static_cast<Durability>(bytes[12]);
  record.is_clean = bytes[13] != 0;
  record.ceiling = core::Version(static_cast<std::int64_t>(base::load_le64(bytes.data() + 16)));
  return std::optional<RunRecord>(record);
}

base::Status write_run_record(storage::FileSystem& files, const std::string& directory,
                              const RunRecord& record) {
  base::Bytes bytes(kMagic);
  base::append_le32(bytes, kFormat);
  bytes += static_cast<char>(record.durability);
  bytes += static_cast<char>(record.is_clean ? 1 : 0);
  bytes.append(2, '\0');
  base::append_le64(bytes, static_cast<std::uint64_t>(record.ceiling.value()));
  base::append_le32(bytes, base::crc32c(bytes));
  return storage::replace_file(files, directory, std::string(kName), bytes);
}

}  // namespace synod::router
