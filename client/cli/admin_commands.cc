// SPDX-License-Identifier: Apache-2.0
#include "client/cli/admin_commands.h"

#include <ostream>
#include <utility>
#include <vector>

#include "SynodAdmin.h"
#include "client/cli/data_commands.h"
#include "client/cli/text_format.h"
#include "client/cpp/connection.h"

namespace synod::client {
namespace {

using Api = api::admin::SynodAdminClient;

/// A deep verification or a backup of a large store takes its time; the socket is local, so a
/// server that died is noticed at once.
constexpr base::Millis kCallTimeout{3'600'000};

struct Field {
  std::string name;
  std::string text;
  bool quoted = true;  ///< In JSON.
};

std::vector<Field> fields_of(const api::admin::NodeReport& report) {
  const auto number = [](std::string name, std::int64_t value) {
    return Field{std::move(name), std::to_string(value), false};
  };
  std::vector<Field> fields{
      number("node_id", report.node_id),
      {"cluster_id", report.cluster_id},
      {"version", report.version},
      number("uptime_seconds", report.uptime_seconds),
      {"durability", report.durability},
      {"data_dir", report.data_dir},
      number("visible_version", report.visible_version),
      number("committed_version", report.committed_version),
      number("applied_index", report.applied_index),
      number("persisted_index", report.persisted_index),
      number("durable_index", report.durable_index),
      number("conflict_floor", report.conflict_floor),
      number("snapshot_floor", report.snapshot_floor),
      {"state_hash", report.state_hash},
      number("keys", report.keys),
      number("bytes", report.bytes),
      number("pending", report.pending),
      number("log_bytes", report.log_bytes),
      number("connections", report.connections),
  };
  for (const auto& limit : report.limits) fields.push_back({"limit." + limit.name, limit.value});
  return fields;
}

void print_text(const std::vector<Field>& fields, std::ostream& out) {
  std::size_t width = 0;
  for (const Field& field : fields) width = std::max(width, field.name.size());
  for (const Field& field : fields) {
    out << field.name << std::string(width - field.name.size() + 2, ' ') << field.text << '\n';
  }
}

void print_json(const std::vector<Field>& fields, std::ostream& out) {
  out << "{";
  const char* separator = "";
  for (const Field& field : fields) {
    out << separator << json_string(field.name) << ":"
        << (field.quoted ? json_string(field.text) : field.text);
    separator = ",";
  }
  out << "}\n";
}

}  // namespace

struct AdminClient::Wire {
  std::unique_ptr<Connection<Api>> connection;

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
  api::admin::StatusReply reply;
  const base::Status done = wire_->run(reply, [&](Api& api) { api.status(reply); });
  if (!done.ok()) return fail(err, done);
  const auto fields = fields_of(reply.report);
  if (json) {
    print_json(fields, out);
  } else {
    print_text(fields, out);
  }
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

}  // namespace synod::client
