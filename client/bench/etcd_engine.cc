// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/text.h"
#include "client/bench/engine.h"
#include "etcd.grpc.pb.h"

namespace synod::client {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);

using Stub = etcdserverpb::KV::Stub;
using SystemClock = std::chrono::system_clock;

SystemClock::time_point in_ns(std::int64_t ns) {
  return SystemClock::now() +
         std::chrono::duration_cast<SystemClock::duration>(std::chrono::nanoseconds(ns));
}

/// One call under way on a connection. Reads are linearizable, etcd's default.
class EtcdCall {
 public:
  explicit EtcdCall(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(etcdserverpb::KV::NewStub(channel)) {}

  [[nodiscard]] const Request& request() const { return request_; }

  void begin(const Request& request, ValueSizes sizes, grpc::CompletionQueue& queue, void* tag) {
    request_ = request;
    context_.emplace();
    context_->set_deadline(in_ns(Engine::kSilenceNs));
    if (request.kind == Request::Kind::kRead) {
      etcdserverpb::RangeRequest range;
      range.set_key(bench_key(request.key));
      range_reader_ = stub_->AsyncRange(&*context_, range, &queue);
      range_reader_->Finish(&range_, &status_, tag);
    } else {
      etcdserverpb::PutRequest put;
      put.set_key(bench_key(request.key));
      append_bench_value(*put.mutable_value(), sizes, request.key, request.tag);
      put_reader_ = stub_->AsyncPut(&*context_, put, &queue);
      put_reader_->Finish(&put_, &status_, tag);
    }
  }

  /// The call has ended. The answer's detail is valid until the next begin().
  base::Result<Answer> finish() {
    if (!status_.ok()) {
      return base::Status(base::StatusCode::kClosed,
                          base::concat("etcd: ", status_.error_message()));
    }
    if (request_.kind != Request::Kind::kRead) return Answer{};
    if (range_.kvs_size() != 1) return Answer{Answer::Outcome::kMissing, {}};
    return Answer{Answer::Outcome::kFound, range_.kvs(0).value()};
  }

 private:
  std::unique_ptr<Stub> stub_;
  Request request_;
  std::optional<grpc::ClientContext> context_;  ///< Of one call.
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::RangeResponse>> range_reader_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>> put_reader_;
  etcdserverpb::RangeResponse range_;
  etcdserverpb::PutResponse put_;
  grpc::Status status_;
};

class EtcdEngine final : public Engine {
 public:
  EtcdEngine(ValueSizes value_sizes, std::vector<std::shared_ptr<grpc::Channel>> channels)
      : value_sizes_(value_sizes), channels_(std::move(channels)) {}
  ~EtcdEngine() override {
    queue_.Shutdown();
    void* tag = nullptr;
    bool is_good = false;
    while (queue_.Next(&tag, &is_good)) {
    }
  }
  EtcdEngine(const EtcdEngine&) = delete;
  EtcdEngine& operator=(const EtcdEngine&) = delete;

  [[nodiscard]] std::uint32_t load_batch() const override { return 1; }

  void run(Lane& lane, std::uint32_t connections, std::uint32_t depth) override {
    prepare(std::min<std::size_t>(connections, channels_.size()), depth);
    std::size_t under_way = 0;
    for (;;) {
      under_way += begin_calls(lane);
      if (under_way == 0 && free_.empty()) lane.abandon(monotonic_ns());
      if (under_way == 0 && lane.finished()) return;
      const std::size_t ended = take_one(lane);
      under_way -= ended;
    }
  }

 private:
  void prepare(std::size_t connections, std::uint32_t depth) {
    calls_.clear();
    free_.clear();
    for (std::size_t i = 0; i < connections * depth; ++i) {
      calls_.push_back(std::make_unique<EtcdCall>(channels_[i % connections]));
      free_.push_back(i);
    }
  }

  std::size_t begin_calls(Lane& lane) {
    std::size_t begun = 0;
    Request request;
    while (!free_.empty() && lane.take(monotonic_ns(), request)) {
      const std::size_t index = free_.back();
      free_.pop_back();
      calls_[index]->begin(request, value_sizes_, queue_, reinterpret_cast<void*>(index));
      ++begun;
    }
    return begun;
  }

  /// Waits for the end of a call, or until more is due: how many have ended. A call that failed
  /// leaves its place for good.
  std::size_t take_one(Lane& lane) {
    const std::int64_t due = free_.empty() ? Lane::kNever : lane.wakes_at();
    const std::int64_t nap = due == Lane::kNever
                                 ? Engine::kSilenceNs
                                 : std::clamp<std::int64_t>(due - monotonic_ns(), 0, kSilenceNs);
    void* tag = nullptr;
    bool is_good = false;  // False only for what was never sent; its status says so, too.
    const auto next = queue_.AsyncNext(&tag, &is_good, in_ns(nap));
    if (next != grpc::CompletionQueue::GOT_EVENT) return 0;
    const auto index = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(tag));
    const base::Result<Answer> answer = calls_[index]->finish();
    if (!answer.ok()) {
      lane.lost(1, answer.status());
    } else {
      lane.answered(calls_[index]->request(), *answer, monotonic_ns());
      free_.push_back(index);
    }
    return 1;
  }

  const ValueSizes value_sizes_;
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<EtcdCall>> calls_;
  std::vector<std::size_t> free_;  ///< Calls of which none is under way.
};

}  // namespace

base::Result<std::unique_ptr<Engine>> open_etcd_engine(const Workload& workload,
                                                       std::uint32_t first,
                                                       std::uint32_t connections) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  grpc::ChannelArguments arguments;
  // Otherwise all channels to one address share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  for (std::uint32_t i = first; i < first + connections; ++i) {
    const BenchEndpoint& endpoint = workload.endpoints[i % workload.endpoints.size()];
    channels.push_back(grpc::CreateCustomChannel(base::concat(endpoint.host, ":", endpoint.port),
                                                 grpc::InsecureChannelCredentials(), arguments));
    if (!channels.back()->WaitForConnected(SystemClock::now() + kConnectTimeout)) {
      return base::Status(base::StatusCode::kClosed,
                          base::concat("nobody answers on ", endpoint.host, ":", endpoint.port));
    }
  }
  return std::unique_ptr<Engine>(
      std::make_unique<EtcdEngine>(workload.value_sizes, std::move(channels)));
}

}  // namespace synod::client
