// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/dispatcher.h"
#include "base/random.h"
#include "base/status.h"
#include "consensus/runtime/state_label.h"
#include "core/kv_service_core.h"
#include "core/persistence.h"
#include "core/transactional_kv_database.h"
#include "storage/file.h"
#include "storage/storage_backend.h"

namespace synod::router {

struct StateMachineSeams {
  storage::FileSystem& files;
  base::Dispatcher& apply;
  base::Dispatcher& persistence;
  base::Dispatcher& storage;
  base::Random random;
  /// Opens the backend in the given directory. Called while the machine is opened and on the
  /// storage dispatcher.
  std::function<base::Result<std::unique_ptr<storage::StorageBackend>>(const std::string&)>
      open_backend;
};

/// One image of the data and everything that serves it. Readers hold it while they read, so that
/// another image may take its place at any time.
struct ReplicaImage {
  std::string directory;  ///< Its name below the data directory.
  std::unique_ptr<storage::StorageBackend> backend;
  std::unique_ptr<core::TransactionalKvDatabase> database;
  std::unique_ptr<core::KvServiceCore> core;
  std::unique_ptr<core::Persistence> persistence;
  /// No longer wanted: its directory goes when the last reader lets go. Set by who gives it up.
  bool is_retired = false;
};

/// Opens images and takes them down: whoever lets go of one last, on any thread, hands it to the
/// dispatchers that may stop, close and remove it.
///
/// Owned by ReplicatedStateMachine and every image it opened.
///
/// Invariants
///   IY1  an image is closed on the storage dispatcher, after its persistence has stopped on its
///        own, or in place once the dispatchers have stopped;
///   IY2  a directory is removed only if its image was retired, and after it was closed; a name
///        is not used again while it may still be there.
///
/// Threads: thread-safe; `close` after the dispatchers stopped.
class ImageYard : public std::enable_shared_from_this<ImageYard> {
 public:
  ImageYard(const StateMachineSeams& seams, std::string data_directory,
            const core::DatabaseOptions& database, const core::PersistenceOptions& persistence);
  ~ImageYard();

  /// Opens the backend and loads the tables. `first_chain`: what an image without any row begins
  /// with; it gets its label row durably before this returns. Without it such an image is damage.
  [[nodiscard]] base::Result<std::shared_ptr<ReplicaImage>> open(
      const std::string& name, const std::optional<consensus::Chain>& first_chain);
  /// Of an image as it is in memory.
  [[nodiscard]] static base::Result<consensus::StateLabel> label_of(const ReplicaImage& image);
  /// Removes every image but this one. Before the dispatchers run.
  [[nodiscard]] base::Status remove_leftovers(const std::string& active);
  /// A name that no image has.
  [[nodiscard]] static std::string new_name(base::Random& random);
  [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }
  /// From now on images are taken down where they are let go.
  void close();

 private:
  [[nodiscard]] base::Status begin_empty(storage::StorageBackend& backend,
                                         const std::optional<consensus::Chain>& first_chain) const;
  void bury(ReplicaImage* image);
  void take_down(const ReplicaImage* image);

  storage::FileSystem& files_;
  base::Dispatcher& persistence_;
  base::Dispatcher& storage_;
  const std::function<base::Result<std::unique_ptr<storage::StorageBackend>>(const std::string&)>
      open_backend_;
  const std::string root_;
  const core::DatabaseOptions database_options_;
  const core::PersistenceOptions persistence_options_;

  std::mutex mutex_;
  bool is_closed_ = false;
  std::vector<std::unique_ptr<ReplicaImage>> doomed_;  ///< On their way through the dispatchers.
};

}  // namespace synod::router
