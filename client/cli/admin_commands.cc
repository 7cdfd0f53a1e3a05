// SPDX-License-Identifier: Apache-2.0
#include "client/cli/admin_commands.h"

#include <ostream>
#include <utility>
#include <vector>

#include "SynodAdmin.h"
#include "client/cli/admin_report.h"
#include "client/cli/data_commands.h"
#include "client/cpp/connection.h"

namespace synod::client {
namespace {

using Api = api::admin::SynodAdminClient;

/// A deep verification or a backup of a large store takes its time; the socket is local, so a
/// server that died is noticed at once.
constexpr base::Millis kCallTimeout{3'600'000};

ExitCode fail_with_leader(std::ostream& err, const base::Status& status,
                          const api::admin::GroupReply& reply) {
  const ExitCode code = fail(err, status);
  if (!reply.__isset.leader_id) return code;
  err << "synodctl: node " << reply.leader_id << " leads";
  if (!reply.leader_peer_endpoint.empty())
    err << " (peers reach it at " << reply.leader_peer_endpoint << ")";
  err << ": ask its admin socket\n";
  return kExitNotReady;
}

}  // namespace

struct AdminClient::Wire {
  std::unique_ptr<Connection<Api>> connection;

  base::Result<api::admin::NodeReport> report() {
    api::admin::StatusReply reply;
    SYNOD_RETURN_IF_ERROR(run(reply, [&](Api& api) { api.status(reply); }));
    return std::move(reply.report);
  }

  /// Runs one call and turns a reply that reports failure into a Status.
  template <class Reply, class Body>
  base::Status run(Reply& reply, Body&& body) {
    SYNOD_RETURN_IF_ERROR(connection->call(body));
    if (!reply.success) return {base::StatusCode::kInternal, reply.error};
    return {};
  }
};

base::Result<AdminClient> AdminClient::connect(const std::string& socket_path) {
  auto opened = Connection<Api>::open_unix(socket_path, {.call = kCallTimeout});
  if (!opened.ok()) return opened.status();
  return AdminClient(std::make_unique<Wire>(Wire{std::move(opened).value()}));
}

AdminClient::AdminClient(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
AdminClient::AdminClient(AdminClient&&) noexcept = default;
AdminClient& AdminClient::operator=(AdminClient&&) noexcept = default;
AdminClient::~AdminClient() = default;

ExitCode AdminClient::status(bool json, std::ostream& out, std::ostream& err) {
  const auto report = wire_->report();
  if (!report.ok()) return fail(err, report.status());
  print_report(*report, json, out);
  return kExitOk;
}

ExitCode AdminClient::health(std::ostream& out, std::ostream& err) {
  const auto report = wire_->report();
  if (!report.ok()) return fail(err, report.status());
  const Health health = health_of(*report);
  out << health.text << '\n';
  return health.is_ready ? kExitOk : kExitNotReady;
}

ExitCode AdminClient::members(bool json, std::ostream& out, std::ostream& err) {
  const auto report = wire_->report();
  if (!report.ok()) return fail(err, report.status());
  if (!report->__isset.group) {
    return fail(err, {base::StatusCode::kUnsupported, "this server stands alone"});
  }
  print_members(report->group, json, out);
  return kExitOk;
}

ExitCode AdminClient::verify(bool deep, std::ostream& out, std::ostream& err) {
  api::admin::VerifyReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.verify(reply, deep); });
  for (const std::string& line : reply.report_lines) out << line << '\n';
  if (!done.ok()) return fail(err, done);
  out << "state_hash " << reply.state_hash << '\n' << (reply.ok ? "ok" : "FAILED") << '\n';
  return reply.ok ? kExitOk : kExitVerificationFailed;
}

ExitCode AdminClient::compact(std::ostream& out, std::ostream& err) {
  api::admin::CompactReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.compact(reply); });
  if (!done.ok()) return fail(err, done);
  out << "compacted\n";
  return kExitOk;
}

ExitCode AdminClient::backup(const std::string& name, std::ostream& out, std::ostream& err) {
  api::admin::BackupReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.backup(reply, name); });
  if (!done.ok()) return fail(err, done);
  out << reply.path << '\n';
  return kExitOk;
}

ExitCode AdminClient::flush(std::ostream& out, std::ostream& err) {
  api::admin::FlushReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.flush(reply); });
  if (!done.ok()) return fail(err, done);
  out << "persisted_index=" << reply.persisted_index << '\n';
  return kExitOk;
}

ExitCode AdminClient::snapshot(std::ostream& out, std::ostream& err) {
  api::admin::SnapshotReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.snapshot(reply); });
  if (!done.ok()) return fail(err, done);
  out << "slot=" << reply.slot << '\n';
  return kExitOk;
}

ExitCode AdminClient::transfer_leader(std::int32_t to, std::ostream& out, std::ostream& err) {
  api::admin::GroupReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.transferLeader(reply, to); });
  if (!done.ok()) return fail_with_leader(err, done, reply);
  out << "transferred\n";
  return kExitOk;
}

ExitCode AdminClient::change_member(MemberVerb verb, std::int32_t node, std::int32_t by,
                                    std::ostream& out, std::ostream& err) {
  using Change = api::admin::MemberChange;
  const auto change = verb == MemberVerb::kAdd      ? Change::ADD
                      : verb == MemberVerb::kRemove ? Change::REMOVE
                                                    : Change::REPLACE;
  api::admin::GroupReply reply;
  const base::Status done =
      wire_->run(reply, [&](Api& api) { api.changeMember(reply, change, node, by); });
  if (!done.ok()) return fail_with_leader(err, done, reply);
  out << "changed\n";
  return kExitOk;
}

}  // namespace synod::client
