// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <vector>

#include "base/text.h"
#include "client/bench/engine.h"
#include "etcd.grpc.pb.h"

namespace synod::client {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr auto kCallTimeout = std::chrono::seconds(30);

using Stub = etcdserverpb::KV::Stub;

base::Status to_status(const grpc::Status& status) {
  return {base::StatusCode::kClosed, base::concat("etcd: ", status.error_message())};
}

std::chrono::system_clock::time_point deadline() {
  return std::chrono::system_clock::now() + kCallTimeout;
}

/// One connection and the call that is under way on it. Reads are linearizable, etcd's default.
class EtcdChannel {
 public:
  explicit EtcdChannel(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(etcdserverpb::KV::NewStub(channel)) {}

  void begin(const Operation& operation, grpc::CompletionQueue& queue, void* tag) {
    context_.emplace();
    context_->set_deadline(deadline());
    is_read_ = !operation.value.has_value();
    if (is_read_) {
      etcdserverpb::RangeRequest request;
      request.set_key(operation.key);
      range_reader_ = stub_->AsyncRange(&*context_, request, &queue);
      range_reader_->Finish(&range_, &status_, tag);
    } else {
      etcdserverpb::PutRequest request;
      request.set_key(operation.key);
      request.set_value(*operation.value);
      put_reader_ = stub_->AsyncPut(&*context_, request, &queue);
      put_reader_->Finish(&put_, &status_, tag);
    }
  }

  /// The call has ended.
  base::Result<Reply> finish() {
    if (!status_.ok()) return to_status(status_);
    Reply reply;
    if (is_read_ && range_.kvs_size() == 1) reply.value = range_.kvs(0).value();
    return reply;
  }

  base::Status load(std::uint64_t first, std::uint64_t end, std::uint32_t value_size) {
    for (; first < end; ++first) {
      grpc::ClientContext context;
      context.set_deadline(deadline());
      etcdserverpb::PutRequest request;
      request.set_key(bench_key(first));
      request.set_value(bench_value(first, 0, value_size));
      const grpc::Status status = stub_->Put(&context, request, &put_);
      if (!status.ok()) return to_status(status);
    }
    return {};
  }

 private:
  std::unique_ptr<Stub> stub_;
  std::optional<grpc::ClientContext> context_;  ///< Of one call.
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::RangeResponse>> range_reader_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>> put_reader_;
  etcdserverpb::RangeResponse range_;
  etcdserverpb::PutResponse put_;
  grpc::Status status_;
  bool is_read_ = false;
};

class EtcdEngine final : public Engine {
 public:
  explicit EtcdEngine(std::vector<std::unique_ptr<EtcdChannel>> channels)
      : channels_(std::move(channels)) {}

  base::Status load(const Workload& workload) override {
    return load_in_parts(workload, [&](std::size_t i, std::uint64_t first, std::uint64_t end) {
      return channels_[i]->load(first, end, workload.value_size);
    });
  }

  void run(std::span<Caller* const> callers) override {
    callers_ = callers;
    for (std::size_t i = 0; i < channels_.size(); ++i) go_on(i);
    void* tag = nullptr;
    bool is_good = false;  // False only for what was never sent; its status says so, too.
    while (active_ > 0 && queue_.Next(&tag, &is_good)) {
      const auto index = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(tag));
      --active_;
      const auto reply = channels_[index]->finish();
      if (!reply.ok()) {
        callers_[index]->on_lost(reply.status());
        continue;
      }
      callers_[index]->on_reply(*reply);
      go_on(index);
    }
    queue_.Shutdown();
    while (queue_.Next(&tag, &is_good)) {
    }
  }

 private:
  void go_on(std::size_t index) {
    const auto operation = callers_[index]->next();
    if (!operation) return;
    ++active_;
    channels_[index]->begin(*operation, queue_, reinterpret_cast<void*>(index));
  }

  std::vector<std::unique_ptr<EtcdChannel>> channels_;
  grpc::CompletionQueue queue_;
  std::span<Caller* const> callers_;
  std::size_t active_ = 0;  ///< Calls under way.
};

}  // namespace

base::Result<std::unique_ptr<Engine>> open_etcd_engine(const Workload& workload) {
  std::vector<std::unique_ptr<EtcdChannel>> channels;
  grpc::ChannelArguments arguments;
  // Otherwise all channels to one address share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    const BenchEndpoint& endpoint = workload.endpoints[i % workload.endpoints.size()];
    const auto channel = grpc::CreateCustomChannel(base::concat(endpoint.host, ":", endpoint.port),
                                                   grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
      return base::Status(base::StatusCode::kClosed,
                          base::concat("nobody answers on ", endpoint.host, ":", endpoint.port));
    }
    channels.push_back(std::make_unique<EtcdChannel>(channel));
  }
  return std::unique_ptr<Engine>(std::make_unique<EtcdEngine>(std::move(channels)));
}

}  // namespace synod::client
