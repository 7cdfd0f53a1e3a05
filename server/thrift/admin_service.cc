// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/admin_service.h"

#include <SynodAdmin.h>

#include <optional>
#include <unordered_map>

#include "base/text.h"
#include "server/thrift/admin_report.h"

namespace synod::server {
namespace {

namespace admin = api::admin;

/// `Args` is the generated struct of a method's arguments; `call` answers it.
template <class Args, class Response>
class AdminCall final : public CallFor<Response> {
 public:
  using Call = std::function<void(const Args&, std::function<void(Response)>)>;
  explicit AdminCall(const Call& call) : call_(call) {}

  void read(apache::thrift::protocol::TProtocol& in) {
    args_.read(&in);
    in.readMessageEnd();
  }

 private:
  void run(std::unique_ptr<ThriftCall> self) override {
    (void)self.release();
    // Shared, as what the store is given may be copied.
    auto reply = std::make_shared<Reply<Response>>(std::unique_ptr<CallFor<Response>>(this));
    call_(args_, [reply](const Response& response) { (*reply)(response); });
  }

  const Call& call_;  // of the service, which outlives its calls
  Args args_;
};

template <class Args, class Response>
ThriftMethod make_method(typename AdminCall<Args, Response>::Call call) {
  ThriftMethod method;
  method.order = CallOrder::kFree;
  method.decode = [call = std::move(call)](
                      apache::thrift::protocol::TProtocol& in,
                      const WireFormat& /*format*/) -> std::unique_ptr<ThriftCall> {
    auto decoded = std::make_unique<AdminCall<Args, Response>>(call);
    decoded->read(in);
    return decoded;
  };
  return method;
}

template <class Response>
void set_failure(Response& response, const base::Status& status) {
  response.success = status.ok();
  if (!status.ok()) response.__set_error(status.to_string());
}

/// The check came to a verdict, good or bad.
bool has_run(const base::Status& verified) {
  switch (verified.code()) {
    case base::StatusCode::kBusy:
    case base::StatusCode::kTimeout:
    case base::StatusCode::kClosed:
    case base::StatusCode::kUnsupported:
    case base::StatusCode::kInvalidArgument:
      return false;
    default:
      return true;
  }
}

std::optional<std::uint32_t> node_number(std::int32_t number) {
  if (number < 0) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

base::Status no_such_node(std::int32_t number) {
  return {base::StatusCode::kInvalidArgument, base::concat("there is no node ", number)};
}

std::optional<router::MemberChange> to_member_change(admin::MemberChange::type change) {
  switch (change) {
    case admin::MemberChange::ADD:
      return router::MemberChange::kAdd;
    case admin::MemberChange::REMOVE:
      return router::MemberChange::kRemove;
    case admin::MemberChange::REPLACE:
      return router::MemberChange::kReplace;
  }
  return std::nullopt;
}

class AdminService final : public ThriftService {
 public:
  explicit AdminService(AdminContext context) : context_(std::move(context)) {
    add_status();
    add_verify();
    add_maintenance();
    add_group();
    std::uint32_t number = 0;
    for (auto& [name, method] : methods_) {
      method.name = name;  // Replies carry it.
      method.number = number++;
    }
  }

  [[nodiscard]] const ThriftMethod* find(const std::string& method) const override {
    const auto found = methods_.find(method);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  void add_status() {
    methods_["status"] = make_method<admin::SynodAdmin_status_args, admin::StatusReply>(
        [this](const auto& /*args*/, std::function<void(admin::StatusReply)> done) {
          context_.store.status([this, done](const router::StoreStatus& status) {
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
          context_.store.verify(args.deep, [done](const router::VerifyReport& report) {
            admin::VerifyReply reply;
            reply.success = has_run(report.status);
            if (!reply.success) reply.__set_error(report.status.to_string());
            reply.ok = report.status.ok();
            reply.report_lines = report.lines;
            reply.state_hash = report.state_hash.to_string();
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
          context_.store.flush([done](const base::Result<core::LogIndex>& index) {
            admin::FlushReply reply;
            set_failure(reply, index.status());
            if (index.ok()) reply.persisted_index = static_cast<std::int64_t>(index->value());
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

  void add_group() {
    methods_["snapshot"] = make_method<admin::SynodAdmin_snapshot_args, admin::SnapshotReply>(
        [this](const auto& /*args*/, std::function<void(admin::SnapshotReply)> done) {
          context_.store.snapshot([done](const base::Result<std::uint64_t>& slot) {
            admin::SnapshotReply reply;
            set_failure(reply, slot.status());
            if (slot.ok()) reply.slot = static_cast<std::int64_t>(*slot);
            done(std::move(reply));
          });
        });
    methods_["transferLeader"] =
        make_method<admin::SynodAdmin_transferLeader_args, admin::GroupReply>(
            [this](const admin::SynodAdmin_transferLeader_args& args, GroupDone done) {
              const auto to = node_number(args.to);
              if (!to) return answer(no_such_node(args.to), std::move(done));
              context_.store.transfer_leadership(
                  *to, [this, done](const base::Status& status) { answer(status, done); });
            });
    methods_["changeMember"] = make_method<admin::SynodAdmin_changeMember_args, admin::GroupReply>(
        [this](const admin::SynodAdmin_changeMember_args& args, GroupDone done) {
          change_member(args, std::move(done));
        });
  }

  using GroupDone = std::function<void(admin::GroupReply)>;

  void change_member(const admin::SynodAdmin_changeMember_args& args, GroupDone done) {
    const auto change = to_member_change(args.change);
    const auto node = node_number(args.node);
    const auto by = node_number(args.by);
    if (!change) {
      return answer({base::StatusCode::kUnsupported, "this change of members is not known"},
                    std::move(done));
    }
    if (!node || *node == 0) return answer(no_such_node(args.node), std::move(done));
    if (!by || (*change == router::MemberChange::kReplace && *by == 0)) {
      return answer(no_such_node(args.by), std::move(done));
    }
    context_.store.change_member(
        *change, *node, *by, [this, done](const base::Status& status) { answer(status, done); });
  }

  /// A failure comes with the name of the leader, as another node may be the one to ask.
  void answer(const base::Status& status, GroupDone done) {
    auto reply = std::make_shared<admin::GroupReply>();
    set_failure(*reply, status);
    if (status.ok()) {
      done(*reply);
      return;
    }
    context_.store.status([reply, done](const router::StoreStatus& now) {
      if (now.group && now.group->has_leader && now.group->leader_id != now.group->node_id) {
        reply->__set_leader_id(static_cast<std::int32_t>(now.group->leader_id));
        for (const auto& member : now.group->members) {
          if (member.node_id != now.group->leader_id) continue;
          reply->__set_leader_peer_endpoint(member.peer_endpoint);
        }
      }
      done(*reply);
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
