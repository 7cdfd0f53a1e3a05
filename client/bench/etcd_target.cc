// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "base/text.h"
#include "client/bench/target.h"
#include "etcd.grpc.pb.h"

namespace synod::client {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr auto kCallTimeout = std::chrono::seconds(10);

base::Status to_status(const grpc::Status& status) {
  return {base::StatusCode::kClosed, base::concat("etcd: ", status.error_message())};
}

/// Reads are linearizable, which is etcd's default.
class EtcdTarget final : public Target {
 public:
  explicit EtcdTarget(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(etcdserverpb::KV::NewStub(channel)) {}

  base::Result<ReadReply> read(const base::Bytes& key) override {
    range_.set_key(key);
    etcdserverpb::RangeResponse reply;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    const grpc::Status status = stub_->Range(&context, range_, &reply);
    if (!status.ok()) return to_status(status);
    ReadReply read;
    if (reply.kvs_size() == 1) read.value = reply.kvs(0).value();
    return read;
  }

  base::Result<bool> write(const base::Bytes& key, const base::Bytes& value) override {
    put_.set_key(key);
    put_.set_value(value);
    etcdserverpb::PutResponse reply;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    const grpc::Status status = stub_->Put(&context, put_, &reply);
    if (!status.ok()) return to_status(status);
    return true;
  }

  base::Status load(std::uint64_t first, std::uint64_t end, std::uint32_t value_size) override {
    for (; first < end; ++first) {
      const auto written = write(bench_key(first), bench_value(first, 0, value_size));
      if (!written.ok()) return written.status();
    }
    return {};
  }

 private:
  std::unique_ptr<etcdserverpb::KV::Stub> stub_;
  etcdserverpb::RangeRequest range_;
  etcdserverpb::PutRequest put_;
};

}  // namespace

base::Result<std::unique_ptr<Target>> open_etcd_target(const BenchEndpoint& endpoint) {
  grpc::ChannelArguments arguments;
  // Otherwise all channels to one address share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel = grpc::CreateCustomChannel(base::concat(endpoint.host, ":", endpoint.port),
                                                 grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
    return base::Status(base::StatusCode::kClosed,
                        base::concat("nobody answers on ", endpoint.host, ":", endpoint.port));
  }
  return std::unique_ptr<Target>(std::make_unique<EtcdTarget>(channel));
}

}  // namespace synod::client
