// SPDX-License-Identifier: Apache-2.0
#include "storage/sim_backend.h"

#include <utility>

#include "base/crc32c.h"
#include "storage/row_history.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr const char* kRowsFile = "ROWS";

// Grammar of ROWS: { key_length:le32 value_length:le32 key value } crc:le32 of all before it.
class SimBackend final : public StorageBackend {
 public:
  SimBackend(FileSystem& files, std::string directory, std::uint64_t flush_every)
      : files_(files), directory_(std::move(directory)), flush_every_(flush_every) {}

  Status load() {
    SYNOD_RETURN_IF_ERROR(files_.create_directories(directory_));
    const std::string path = directory_ + "/" + kRowsFile;
    if (!files_.exists(path)) return {};
    SYNOD_ASSIGN_OR_RETURN(const Bytes bytes, read_file(files_, path, 1U << 30));
    const Status damaged(StatusCode::kCorruption, path + ": damaged");
    if (bytes.size() < 4) return damaged;
    BytesView rest = BytesView(bytes).substr(0, bytes.size() - 4);
    if (base::crc32c(rest) != base::load_le32(bytes.data() + rest.size())) return damaged;
    while (!rest.empty()) {
      if (rest.size() < 8) return damaged;
      const std::uint64_t key_bytes = base::load_le32(rest.data());
      const std::uint64_t value_bytes = base::load_le32(rest.data() + 4);
      if (rest.size() < 8 + key_bytes + value_bytes) return damaged;
      rows_.emplace(rest.substr(8, key_bytes), rest.substr(8 + key_bytes, value_bytes));
      rest.remove_prefix(8 + key_bytes + value_bytes);
    }
    durable_ = rows_;
    return {};
  }

  Status write(const WriteBatch& batch) override {
    for (const auto& put : batch.puts()) {
      history_.changing(Bytes(put.key), rows_);
      if (put.value) {
        rows_[Bytes(put.key)] = *put.value;
      } else {
        rows_.erase(Bytes(put.key));
      }
    }
    if (++writes_ % flush_every_ != 0) return {};
    // A flush that fails in the background refuses later writes, not the one before it.
    flush().ignore();
    return {};
  }

  Result<std::optional<Bytes>> get(BytesView key) const override { return find(rows_, key); }
  Result<std::optional<Bytes>> get_durable(BytesView key) const override {
    return find(durable_, key);
  }

  Status scan(BytesView begin, BytesView end,
              base::Function<bool(BytesView, BytesView)> row) const override {
    for (auto it = rows_.lower_bound(begin); it != rows_.end(); ++it) {
      if (!end.empty() && it->first >= end) break;
      if (!row(it->first, it->second)) break;
    }
    return {};
  }

  Result<std::shared_ptr<const BackendSnapshot>> snapshot() const override {
    return std::shared_ptr<const BackendSnapshot>(
        std::make_shared<Snapshot>(*this, history_.take()));
  }

  Status flush() override {
    Bytes bytes;
    for (const auto& [key, value] : rows_) {
      base::append_le32(bytes, static_cast<std::uint32_t>(key.size()));
      base::append_le32(bytes, static_cast<std::uint32_t>(value.size()));
      bytes += key;
      bytes += value;
    }
    base::append_le32(bytes, base::crc32c(bytes));
    SYNOD_RETURN_IF_ERROR(replace_file(files_, directory_, kRowsFile, bytes));
    durable_ = rows_;
    return {};
  }

  Status compact() override { return flush(); }
  Status checkpoint(const std::string& directory) override {
    SYNOD_RETURN_IF_ERROR(files_.create_directories(directory));
    SYNOD_RETURN_IF_ERROR(flush());
    SYNOD_ASSIGN_OR_RETURN(const Bytes bytes,
                           read_file(files_, directory_ + "/" + kRowsFile, 1U << 30));
    return replace_file(files_, directory, kRowsFile, bytes);
  }
  Result<std::vector<std::optional<Bytes>>> read_checkpoint(
      const std::string& directory, const std::vector<Bytes>& keys) const override {
    if (!files_.exists(directory + "/" + kRowsFile)) {
      return Status(StatusCode::kCorruption, directory + ": no checkpoint");
    }
    SimBackend copy(files_, directory, 1);
    SYNOD_RETURN_IF_ERROR(copy.load());
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : keys) {
      SYNOD_ASSIGN_OR_RETURN(auto value, copy.get(key));
      values.push_back(std::move(value));
    }
    return values;
  }
  Stats stats() const override { return {}; }
  std::string name() const override { return "simulated"; }

 private:
  using Rows = RowHistory::Rows;

  class Snapshot final : public BackendSnapshot {
   public:
    Snapshot(const SimBackend& backend, std::shared_ptr<const RowHistory::Layer> layer)
        : backend_(backend), layer_(std::move(layer)) {}
    Result<std::optional<Bytes>> get(BytesView key) const override {
      return RowHistory::find(*layer_, backend_.rows_, key);
    }

   private:
    const SimBackend& backend_;
    const std::shared_ptr<const RowHistory::Layer> layer_;
  };

  static Result<std::optional<Bytes>> find(const Rows& rows, BytesView key) {
    const auto found = rows.find(key);
    if (found == rows.end()) return std::optional<Bytes>();
    return std::optional<Bytes>(found->second);
  }

  FileSystem& files_;
  const std::string directory_;
  const std::uint64_t flush_every_;
  Rows rows_;
  Rows durable_;
  mutable RowHistory history_;
  std::uint64_t writes_ = 0;
};

}  // namespace

Result<std::unique_ptr<StorageBackend>> open_sim_backend(FileSystem& files,
                                                         const std::string& directory,
                                                         std::uint64_t flush_every) {
  auto backend = std::make_unique<SimBackend>(files, directory, flush_every);
  SYNOD_RETURN_IF_ERROR(backend->load());
  return std::unique_ptr<StorageBackend>(std::move(backend));
}

}  // namespace synod::storage
