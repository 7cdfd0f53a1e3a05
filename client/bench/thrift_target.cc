// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "TransactionalKV.h"
#include "base/text.h"
#include "client/bench/target.h"
#include "client/cpp/connection.h"

namespace synod::client {
namespace {

using Link = Connection<api::TransactionalKVClient>;

constexpr std::uint64_t kLoadBatch = 200;

class ThriftTarget final : public Target {
 public:
  explicit ThriftTarget(std::unique_ptr<Link> link) : link_(std::move(link)) {}

  base::Result<ReadReply> read(const base::Bytes& key) override {
    get_.__set_key(key);
    api::GetResponse reply;
    SYNOD_RETURN_IF_ERROR(link_->call([&](auto& api) { api.get(reply, get_); }));
    ReadReply read;
    read.is_refused = reply.__isset.error;
    if (reply.found) read.value = std::move(reply.value);
    return read;
  }

  base::Result<bool> write(const base::Bytes& key, const base::Bytes& value) override {
    set_.__set_key(key);
    set_.__set_value(value);
    api::SetResponse reply;
    SYNOD_RETURN_IF_ERROR(link_->call([&](auto& api) { api.setKey(reply, set_); }));
    return reply.success;
  }

  base::Status load(std::uint64_t first, std::uint64_t end, std::uint32_t value_size) override {
    while (first < end) {
      api::AtomicCommitRequest request;
      for (const std::uint64_t stop = std::min(end, first + kLoadBatch); first < stop; ++first) {
        auto& step = request.operations.emplace_back();
        step.__set_type("set");
        step.__set_key(bench_key(first));
        step.__set_value(bench_value(first, 0, value_size));
      }
      api::AtomicCommitResponse reply;
      SYNOD_RETURN_IF_ERROR(link_->call([&](auto& api) { api.atomicCommit(reply, request); }));
      if (reply.success) continue;
      return {base::StatusCode::kInternal,
              base::concat("loading failed: ", reply.error_code, ": ", reply.error)};
    }
    return {};
  }

 private:
  std::unique_ptr<Link> link_;
  api::GetRequest get_;
  api::SetRequest set_;
};

}  // namespace

base::Result<std::unique_ptr<Target>> open_thrift_target(const BenchEndpoint& endpoint) {
  SYNOD_ASSIGN_OR_RETURN(auto link, Link::open_tcp(endpoint.host, endpoint.port, {}));
  return std::unique_ptr<Target>(std::make_unique<ThriftTarget>(std::move(link)));
}

base::Result<std::unique_ptr<Target>> open_target(const Workload& workload, std::size_t index) {
  const BenchEndpoint& endpoint = workload.endpoints[index % workload.endpoints.size()];
  switch (workload.protocol) {
    case Protocol::kThrift:
      return open_thrift_target(endpoint);
    case Protocol::kEtcd:
      return open_etcd_target(endpoint);
  }
  return base::Status(base::StatusCode::kInvalidArgument, "no such protocol");
}

}  // namespace synod::client
