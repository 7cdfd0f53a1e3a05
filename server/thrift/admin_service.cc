// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/admin_service.h"

#include <SynodAdmin.h>

#include <unordered_map>

#include "base/text.h"

namespace synod::server {
namespace {

namespace admin = api::admin;

/// `Args` is the generated struct of a method's arguments; `call` answers it.
template <class Args, class Response>
ThriftMethod make_method(std::function<void(const Args&, std::function<void(Response)>)> call) {
  ThriftMethod method;
  method.order = CallOrder::kFree;
  method.decode = [call = std::move(call)](apache::thrift::protocol::TProtocol& in,
                                           const WireFormat& /*format*/) -> PreparedCall {
    auto args = std::make_shared<Args>();
    args->read(&in);
    in.readMessageEnd();
    return [call, args](ReplyDone done) {
      auto shared = std::make_shared<ReplyDone>(std::move(done));
      call(*args, [shared](Response response) {
        (*shared)(StructReply<Response>(std::make_unique<const Response>(std::move(response))));
      });
    };
  };
  return method;
}

template <class Response>
void set_failure(Response& response, const base::Status& status) {
  response.success = status.ok();
  if (!status.ok()) response.__set_error(status.to_string());
}

admin::NodeReport make_report(const AdminContext& context, const router::StandaloneStatus& status) {
  admin::NodeReport report;
  report.node_id = context.node_id;
  report.cluster_id = status.cluster_id;
  report.version = context.version;
  report.uptime_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(context.clock.boot_time() - context.started)
          .count();
  report.durability = router::durability_name(status.durability);
  report.data_dir = context.data_dir;
  report.visible_version = status.newest_version.value();
  report.committed_version = status.newest_version.value();
  report.applied_index = static_cast<std::int64_t>(status.applied_index.value());
  report.persisted_index = static_cast<std::int64_t>(status.written_index.value());
  report.durable_index = static_cast<std::int64_t>(status.durable_index.value());
  report.conflict_floor = status.conflict_floor.value();
  report.snapshot_floor = status.snapshot_floor.value();
  report.state_hash = status.state_hash.to_string();
  report.keys = static_cast<std::int64_t>(status.keys);
  report.bytes = static_cast<std::int64_t>(status.live_bytes);
  report.pending = static_cast<std::int64_t>(status.pending);
  report.log_bytes = static_cast<std::int64_t>(status.log_bytes);
  report.connections = static_cast<std::int64_t>(context.connections());
  for (const auto& [name, value] : context.limits) {
    admin::NamedText limit;
    limit.name = name;
    limit.value = value;
    report.limits.push_back(std::move(limit));
  }
  return report;
}

class AdminService final : public ThriftService {
 public:
  explicit AdminService(AdminContext context) : context_(std::move(context)) {
    add_status();
    add_verify();
    add_maintenance();
  }

  [[nodiscard]] const ThriftMethod* find(const std::string& method) const override {
    const auto found = methods_.find(method);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  void add_status() {
    methods_["status"] = make_method<admin::SynodAdmin_status_args, admin::StatusReply>(
        [this](const auto& /*args*/, std::function<void(admin::StatusReply)> done) {
          context_.store.status([this, done](const router::StandaloneStatus& status) {
            admin::StatusReply reply;
            reply.success = true;
            reply.__set_report(make_report(context_, status));
            done(std::move(reply));
          });
        });
  }

  void add_verify() {
    methods_["verify"] = make_method<admin::SynodAdmin_verify_args, admin::VerifyReply>(
        [this](const admin::SynodAdmin_verify_args& args,
               std::function<void(admin::VerifyReply)> done) {
          const bool deep = args.deep;
          context_.store.verify(deep, [deep, done](const base::Status& verified,
                                                   const core::StateHash& hash) {
            admin::VerifyReply reply;
            reply.success = true;
            reply.ok = verified.ok();
            reply.report_lines.push_back("cuckoo table, B-tree, chains, digests and state hash" +
                                         std::string(deep ? "; backend, row by row" : ""));
            reply.report_lines.push_back(verified.ok() ? "they agree" : verified.to_string());
            reply.state_hash = hash.to_string();
            done(std::move(reply));
          });
        });
  }

  void add_maintenance() {
    methods_["compact"] = make_method<admin::SynodAdmin_compact_args, admin::CompactReply>(
        [this](const auto& /*args*/, std::function<void(admin::CompactReply)> done) {
          context_.store.compact([done](const base::Status& status) {
            admin::CompactReply reply;
            set_failure(reply, status);
            done(std::move(reply));
          });
        });
    methods_["flush"] = make_method<admin::SynodAdmin_flush_args, admin::FlushReply>(
        [this](const auto& /*args*/, std::function<void(admin::FlushReply)> done) {
          context_.store.flush([this, done](const base::Status& status) {
            admin::FlushReply reply;
            set_failure(reply, status);
            reply.persisted_index =
                static_cast<std::int64_t>(context_.store.persistence().durable_index().value());
            done(std::move(reply));
          });
        });
    methods_["backup"] = make_method<admin::SynodAdmin_backup_args, admin::BackupReply>(
        [this](const admin::SynodAdmin_backup_args& args,
               std::function<void(admin::BackupReply)> done) {
          context_.store.backup(args.name, [done](const base::Result<std::string>& path) {
            admin::BackupReply reply;
            set_failure(reply, path.status());
            if (path.ok()) reply.path = *path;
            done(std::move(reply));
          });
        });
  }

  AdminContext context_;
  std::unordered_map<std::string, ThriftMethod> methods_;
};

}  // namespace

std::shared_ptr<const ThriftService> make_admin_service(AdminContext context) {
  return std::make_shared<const AdminService>(std::move(context));
}

}  // namespace synod::server
