// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/logging.h"
#include "base/random.h"
#include "base/text.h"
#include "net/worker.h"
#include "server/store_host.h"
#include "server/store_options.h"

namespace synod::server {
namespace {

/// A store that stands alone, on the threads commit, persistence, storage and read-N.
class StandaloneHost final : public StoreHost {
 public:
  explicit StandaloneHost(const Config& config)
      : config_(config), cold_reads_(cold_readers(config, "")) {}

  [[nodiscard]] base::Status open(storage::FileSystem& files, const StoreObservers& observers) {
    router::StandaloneOptions options = standalone_options(config_);
    options.log.observer = observers.log;
    options.pipeline.observer = observers.commits;
    router::StandaloneSeams seams{
        files,
        commit_.dispatcher(),
        persistence_.dispatcher(),
        storage_.dispatcher(),
        base::Random(random_seed()),
        [this, meter = observers.storage](const std::string& directory) {
          return open_measured_backend(config_, directory, meter);
        },
        [](const std::string& reason) { base::fail_stop("router", reason); },
        dispatchers_of(cold_reads_)};
    SYNOD_ASSIGN_OR_RETURN(store_, router::Standalone::open(std::move(seams), std::move(options)));
    return {};
  }

  [[nodiscard]] router::Store& store() override { return *store_; }
  [[nodiscard]] std::uint32_t node_id() const override { return config_.server.node_id; }
  [[nodiscard]] std::string directory() const override { return config_.server.data_dir; }

  [[nodiscard]] std::string peer_endpoint() const override { return ""; }
  [[nodiscard]] std::vector<net::PeerView> peers() const override { return {}; }
  void hand_over(base::Nanos /*patience*/) override {}

  [[nodiscard]] base::Status start() override {
    SYNOD_RETURN_IF_ERROR(store_->start());
    for (net::Worker* worker : {&commit_, &persistence_, &storage_}) worker->start();
    for (const auto& reader : cold_reads_) reader->start();
    return {};
  }

  [[nodiscard]] base::Status stop() override {
    for (const auto& reader : cold_reads_) reader->stop();
    for (const auto& reader : cold_reads_) reader->join();
    for (net::Worker* worker : {&commit_, &persistence_}) {
      worker->stop();
      worker->join();
    }
    store_->interrupt();
    storage_.stop();
    storage_.join();
    return store_->close();
  }

 private:
  const Config config_;
  // Declared before what runs on them, so that they are destroyed last.
  net::Worker commit_{"commit"};
  net::Worker persistence_{"persistence"};
  net::Worker storage_{"storage"};
  const ColdReaders cold_reads_;
  std::unique_ptr<router::Standalone> store_;
};

}  // namespace

base::Result<std::unique_ptr<StoreHost>> open_standalone(const Config& config,
                                                         storage::FileSystem& files,
                                                         const StoreObservers& observers) {
  auto host = std::make_unique<StandaloneHost>(config);
  SYNOD_RETURN_IF_ERROR(host->open(files, observers));
  return std::unique_ptr<StoreHost>(std::move(host));
}

ColdReaders cold_readers(const Config& config, const std::string& suffix) {
  ColdReaders readers;
  if (config.database.memory_limit == 0) return readers;
  for (std::uint32_t i = 0; i < config.database.cold_read_threads; ++i) {
    readers.push_back(std::make_unique<net::Worker>(base::concat("read-", i, suffix)));
  }
  return readers;
}

std::vector<base::Dispatcher*> dispatchers_of(const ColdReaders& readers) {
  std::vector<base::Dispatcher*> dispatchers;
  for (const auto& reader : readers) dispatchers.push_back(&reader->dispatcher());
  return dispatchers;
}

base::Result<std::unique_ptr<storage::StorageBackend>> open_measured_backend(
    const Config& config, const std::string& directory, StorageMetrics* meter) {
  SYNOD_ASSIGN_OR_RETURN(auto backend, open_backend(config, directory));
  if (meter == nullptr) return backend;
  return measure(std::move(backend), *meter);
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  base::system_random(reinterpret_cast<char*>(&seed), sizeof seed);
  return seed;
}

}  // namespace synod::server
