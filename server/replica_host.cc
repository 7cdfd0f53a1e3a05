// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <future>
#include <utility>

#include "base/logging.h"
#include "base/random.h"
#include "base/text.h"
#include "net/tcp_peer_transport.h"
#include "net/worker.h"
#include "server/store_host.h"
#include "server/store_options.h"

namespace synod::server {
namespace {

/// Where others reach this replica.
std::string peer_endpoint_of(const Config& config, const PeerEntry& self) {
  const std::string& advertised = config.cluster.advertise;
  return advertised.empty() ? format_endpoint(self.host, self.port) : advertised;
}

net::TcpPeerOptions peer_options(const Config& config, const PeerEntry& self) {
  const auto& cluster = config.cluster;
  net::TcpPeerOptions options;
  options.self = net::PeerId(self.id);
  options.bind_host = peer_bind_of(config, self);
  options.bind_port = self.port;
  options.advertised = peer_endpoint_of(config, self);
  for (const PeerEntry& peer : group_of(config)) {
    options.peers[net::PeerId(peer.id)] = net::PeerAddress{peer.host, peer.port};
  }
  if (!cluster.tls_ca_file.empty()) {
    options.tls = net::TlsOptions{cluster.tls_ca_file, cluster.tls_cert_file, cluster.tls_key_file,
                                  cluster.name};
  }
  options.allow_insecure = cluster.insecure_peers;
  options.times.hello_timeout = base::Millis(cluster.connect_timeout_ms);
  return options;
}

/// Threads of several replicas of one process are told apart by the replica's number.
std::string thread_name(const Config& config, const PeerEntry& self, const char* role) {
  return replicas_here(config) == 1 ? role : base::concat(role, "-", self.id);
}

/// One member of a group, on the threads consensus, log, apply, persistence, storage, compact and
/// read-N.
/// Peers are served on the thread consensus, too: a message needs no other thread to be acted upon.
class ReplicaHost final : public StoreHost {
 public:
  ReplicaHost(const Config& config, const PeerEntry& self)
      : config_(config),
        self_(self),
        consensus_(thread_name(config, self, "consensus")),
        log_(thread_name(config, self, "log")),
        apply_(thread_name(config, self, "apply")),
        persistence_(thread_name(config, self, "persistence")),
        storage_(thread_name(config, self, "storage")),
        compaction_(thread_name(config, self, "compact")),
        cold_reads_(
            cold_readers(config, replicas_here(config) == 1 ? "" : base::concat("-", self.id))),
        transport_(peer_options(config, self), &consensus_) {}

  [[nodiscard]] base::Status open(storage::FileSystem& files, const StoreObservers& observers) {
    router::ReplicatedOptions options = replica_options(config_, self_);
    options.log.observer = observers.log;
    options.commits = observers.commits;
    options.observer = observers.consensus;
    const std::uint32_t id = self_.id;
    router::ReplicatedSeams seams{
        files,
        consensus_.dispatcher(),
        log_.dispatcher(),
        apply_.dispatcher(),
        persistence_.dispatcher(),
        storage_.dispatcher(),
        compaction_.dispatcher(),
        transport_,
        base::Random(random_seed()),
        [this, meter = observers.storage](const std::string& directory) {
          return open_measured_backend(config_, directory, meter);
        },
        [this](std::uint64_t cluster) { transport_.set_cluster(cluster); },
        [id](const std::string& reason) {
          base::fail_stop("router", base::concat("replica ", id, ": ", reason));
        },
        dispatchers_of(cold_reads_)};
    SYNOD_ASSIGN_OR_RETURN(store_, router::Replicated::open(std::move(seams), std::move(options)));
    return {};
  }

  [[nodiscard]] router::Store& store() override { return *store_; }
  [[nodiscard]] std::uint32_t node_id() const override { return self_.id; }
  [[nodiscard]] std::string directory() const override {
    return replica_directory(config_, self_.id);
  }

  [[nodiscard]] std::string peer_endpoint() const override {
    return peer_endpoint_of(config_, self_);
  }
  [[nodiscard]] std::vector<net::PeerView> peers() const override { return transport_.views(); }

  [[nodiscard]] base::Status start() override {
    SYNOD_RETURN_IF_ERROR(store_->start());
    for (net::Worker* worker : workers()) worker->start();
    for (const auto& reader : cold_reads_) reader->start();
    is_running_ = true;
    const auto port = transport_.start();
    return port.ok() ? base::Status() : port.status();
  }

  void hand_over(base::Nanos patience) override {
    if (!is_running_) return;
    auto answered = std::make_shared<std::promise<base::Status>>();
    std::future<base::Status> answer = answered->get_future();
    store_->transfer_leadership(
        0, [answered](base::Status status) { answered->set_value(std::move(status)); });
    if (answer.wait_for(patience) != std::future_status::ready) {
      base::log_warning("server", "nobody took over the lead in time; the others elect a leader");
    } else if (answer.get().ok()) {
      base::log_info("server", "another node leads from here on");
    }
  }

  [[nodiscard]] base::Status stop() override {
    if (is_running_) {
      std::promise<void> ended;
      store_->stop([&ended] { ended.set_value(); });
      ended.get_future().wait();
    }
    transport_.stop();
    for (const auto& reader : cold_reads_) reader->stop();
    for (const auto& reader : cold_reads_) reader->join();
    for (net::Worker* worker : workers()) {
      // Nothing is waited for in vain on the way to the end.
      if (worker == &storage_) store_->interrupt();
      worker->stop();
      worker->join();
    }
    return store_->close();
  }

 private:
  [[nodiscard]] std::array<net::Worker*, 6> workers() {
    return {&consensus_, &log_, &apply_, &persistence_, &storage_, &compaction_};
  }

  const Config config_;
  const PeerEntry self_;
  bool is_running_ = false;
  // Declared before what runs on them, so that they are destroyed last.
  net::Worker consensus_;
  net::Worker log_;
  net::Worker apply_;
  net::Worker persistence_;
  net::Worker storage_;
  net::Worker compaction_;
  const ColdReaders cold_reads_;
  net::TcpPeerTransport transport_;
  std::unique_ptr<router::Replicated> store_;
};

}  // namespace

base::Result<std::unique_ptr<StoreHost>> open_replica(const Config& config, const PeerEntry& self,
                                                      storage::FileSystem& files,
                                                      const StoreObservers& observers) {
  auto host = std::make_unique<ReplicaHost>(config, self);
  SYNOD_RETURN_IF_ERROR(host->open(files, observers));
  return std::unique_ptr<StoreHost>(std::move(host));
}

}  // namespace synod::server
