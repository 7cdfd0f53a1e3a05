// SPDX-License-Identifier: Apache-2.0
#include "router/replica_image.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "core/state/rows.h"
#include "router/snapshot_files.h"

namespace synod::router {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::string_view kFirstImage = "db";
constexpr std::string_view kImagePrefix = "image-";

bool is_image_name(std::string_view name) {
  return name == kFirstImage || name.substr(0, kImagePrefix.size()) == kImagePrefix;
}

}  // namespace

ImageYard::ImageYard(const StateMachineSeams& seams, std::string data_directory,
                     const core::DatabaseOptions& database,
                     const core::PersistenceOptions& persistence)
    : files_(seams.files),
      persistence_(seams.persistence),
      storage_(seams.storage),
      open_backend_(seams.open_backend),
      root_(std::move(data_directory)),
      database_options_(database),
      persistence_options_(persistence) {}

ImageYard::~ImageYard() = default;

std::string ImageYard::new_name(base::Random& random) {
  return std::string(kImagePrefix) + id_name(random.next());
}

Result<std::shared_ptr<ReplicaImage>> ImageYard::open(
    const std::string& name, const std::optional<consensus::Chain>& first_chain) {
  auto image = std::make_unique<ReplicaImage>();
  image->directory = name;
  SYNOD_ASSIGN_OR_RETURN(image->backend, open_backend_(path(name)));
  if (const Status begun = begin_empty(*image->backend, first_chain); !begun.ok()) {
    return begun.with_context(path(name));
  }
  image->database = std::make_unique<core::TransactionalKvDatabase>(database_options_);
  image->core = std::make_unique<core::KvServiceCore>(*image->database);
  const auto persisted = image->database->load(*image->backend);
  if (!persisted.ok()) return persisted.status().with_context(path(name));
  image->persistence = std::make_unique<core::Persistence>(
      persistence_, image->database->write_behind(), *image->backend, persistence_options_,
      &image->database->cold_values());
  image->persistence->start_at(*persisted);
  image->persistence->tend(image->database->pages());
  return std::shared_ptr<ReplicaImage>(
      image.release(), [yard = shared_from_this()](ReplicaImage* last) { yard->bury(last); });
}

Status ImageYard::begin_empty(storage::StorageBackend& backend,
                              const std::optional<consensus::Chain>& first_chain) const {
  bool is_empty = true;
  SYNOD_RETURN_IF_ERROR(backend.scan({}, {}, [&is_empty](base::BytesView, base::BytesView) {
    is_empty = false;
    return false;
  }));
  if (!is_empty) return {};
  if (!first_chain) {
    return {StatusCode::kCorruption, "the state is empty, but the log does not begin with slot 1"};
  }
  storage::WriteBatch batch;
  batch.put({&core::kLabelRow, 1}, encode_label({consensus::Slot(), {}, *first_chain}));
  SYNOD_RETURN_IF_ERROR(backend.write(batch));
  return backend.flush();
}

Result<consensus::StateLabel> ImageYard::label_of(const ReplicaImage& image) {
  auto label = decode_label(image.database->label());
  if (!label.ok()) return label.status().with_context(image.directory + ": label row");
  label->applied = consensus::Slot(image.database->applied_index().value());
  return label;
}

Status ImageYard::remove_leftovers(const std::string& active) {
  SYNOD_ASSIGN_OR_RETURN(const auto names, files_.list(root_));
  for (const std::string& name : names) {
    if (name == active || !is_image_name(name)) continue;
    SYNOD_RETURN_IF_ERROR(storage::remove_tree(files_, path(name)));
  }
  return files_.sync_directory(root_);
}

void ImageYard::bury(ReplicaImage* image) {
  std::unique_ptr<ReplicaImage> owned(image);
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    doomed_.push_back(std::move(owned));
  }
  persistence_.post([yard = shared_from_this(), image] {
    {
      const std::lock_guard lock(yard->mutex_);
      if (yard->is_closed_) return;
    }
    image->persistence->stop();
    yard->storage_.post([yard, image] { yard->take_down(image); });
  });
}

void ImageYard::take_down(const ReplicaImage* image) {
  std::unique_ptr<ReplicaImage> owned;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(doomed_.begin(), doomed_.end(),
                                    [image](const auto& each) { return each.get() == image; });
    if (found == doomed_.end()) return;
    owned = std::move(*found);
    doomed_.erase(found);
  }
  const std::string directory = path(owned->directory);
  const bool is_removed = owned->is_retired;
  owned.reset();
  if (!is_removed) return;
  const Status removed = storage::remove_tree(files_, directory);
  // It costs space until the next start, which tries again.
  if (!removed.ok()) base::log_warning("router", "an old image stays: " + removed.to_string());
}

void ImageYard::close() {
  std::vector<std::unique_ptr<ReplicaImage>> doomed;
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  doomed.swap(doomed_);
}

}  // namespace synod::router
