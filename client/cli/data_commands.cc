// SPDX-License-Identifier: Apache-2.0
#include "client/cli/data_commands.h"

#include <ostream>

#include "base/text.h"
#include "client/cli/txn_script.h"

namespace synod::client {
namespace {

constexpr int kCommitAttemptsMax = 5;

ExitCode usage(std::ostream& err, const base::Status& status) {
  err << "synodctl: " << status.message() << '\n';
  return kExitUsage;
}

/// Applies one step; reads print what they see.
base::Status run_step(DataContext& context, Transaction& txn, const ScriptStep& step) {
  using Kind = ScriptStep::Kind;
  const std::string& ns = context.ns;
  switch (step.kind) {
    case Kind::kCheck:
      txn.check_version(step.key, step.number, ns);
      break;
    case Kind::kRead: {
      SYNOD_ASSIGN_OR_RETURN(const auto value, txn.get(step.key, ns));
      context.out << "read " << format_bytes_text(step.key, context.format);
      if (value.has_value()) {
        context.out << " = " << format_bytes_text(*value, context.format) << '\n';
      } else {
        context.out << ": not found\n";
      }
      break;
    }
    case Kind::kSet:
      txn.set(step.key, step.value, base::Millis(step.ttl_ms), ns);
      break;
    case Kind::kDelete:
      txn.remove(step.key, ns);
      break;
    case Kind::kIncrement:
      txn.increment(step.key, step.number, ns);
      break;
    case Kind::kAppend:
      txn.append(step.key, step.value, ns);
      break;
    case Kind::kClear:
      txn.clear_range(step.key, step.end, ns);
      break;
  }
  return {};
}

/// The new numbers that increments produced; writes and results correspond in order.
void print_results(DataContext& context, const std::vector<ScriptStep>& steps,
                   const CommitOutcome& outcome) {
  std::size_t next = 0;
  for (const ScriptStep& step : steps) {
    if (step.kind == ScriptStep::Kind::kRead) continue;
    if (next == outcome.results.size()) return;
    const WriteResult& result = outcome.results[next++];
    if (step.kind == ScriptStep::Kind::kIncrement) {
      context.out << "incr " << format_bytes_text(step.key, context.format) << " = "
                  << result.number << '\n';
    } else if (step.kind == ScriptStep::Kind::kClear) {
      context.out << "clear: " << result.number << " keys\n";
    }
  }
}

ExitCode print_outcome(DataContext& context, const CommitOutcome& outcome) {
  context.out << commit_state_name(outcome.state);
  if (outcome.committed()) {
    context.out << " version=" << outcome.version << '\n';
    return kExitOk;
  }
  if (!outcome.detail.empty()) context.out << " detail=" << outcome.detail;
  context.out << '\n';
  context.err << "synodctl: " << outcome.code << ": " << outcome.message << '\n';
  const bool not_ready =
      outcome.code == "BUSY" || outcome.code == "NO_QUORUM" || outcome.code == "NOT_LEADER";
  return not_ready ? kExitNotReady : kExitError;
}

/// Texts into bytes; false after it has reported what is wrong.
base::Result<RangeQuery> range_query(const DataContext& context, const RangeArguments& arguments) {
  RangeQuery query;
  query.ns = context.ns;
  query.limit = arguments.limit;
  if (!arguments.prefix.empty()) {
    if (!arguments.begin.empty() || !arguments.end.empty()) {
      return base::Status(base::StatusCode::kInvalidArgument,
                          "--prefix and --begin/--end exclude each other");
    }
    SYNOD_ASSIGN_OR_RETURN(query.begin, parse_bytes_text(arguments.prefix, context.format));
    query.end = base::prefix_successor(query.begin);
    return query;
  }
  SYNOD_ASSIGN_OR_RETURN(query.begin, parse_bytes_text(arguments.begin, context.format));
  SYNOD_ASSIGN_OR_RETURN(query.end, parse_bytes_text(arguments.end, context.format));
  return query;
}

}  // namespace

ExitCode fail(std::ostream& err, const base::Status& status) {
  err << "synodctl: " << status.message() << '\n';
  return exit_code_of(status);
}

std::string format_row(const Row& row, ByteFormat format, bool keys_only) {
  std::string line = format_bytes_text(row.key, format);
  if (!keys_only) {
    line += '\t';
    line += format_bytes_text(row.value, format);
  }
  return line;
}

ExitCode run_get(DataContext& context, const std::string& key, bool fail_if_missing) {
  const auto name = parse_bytes_text(key, context.format);
  if (!name.ok()) return usage(context.err, name.status());
  const auto value = context.client.get(*name, context.ns);
  if (!value.ok()) return fail(context.err, value.status());
  if (!value->has_value()) {
    context.err << "synodctl: key not found\n";
    return fail_if_missing ? kExitNotFound : kExitOk;
  }
  context.out << format_bytes_text(**value, context.format);
  if (context.format != ByteFormat::kRaw) context.out << '\n';
  return kExitOk;
}

ExitCode run_put(DataContext& context, const std::string& key, const std::string& value,
                 std::int64_t ttl_ms) {
  const auto name = parse_bytes_text(key, context.format);
  if (!name.ok()) return usage(context.err, name.status());
  const auto bytes = parse_bytes_text(value, context.format);
  if (!bytes.ok()) return usage(context.err, bytes.status());
  const auto version = context.client.set(*name, *bytes, base::Millis(ttl_ms), context.ns);
  if (!version.ok()) return fail(context.err, version.status());
  context.out << "version=" << *version << '\n';
  return kExitOk;
}

ExitCode run_delete(DataContext& context, const std::string& key) {
  const auto name = parse_bytes_text(key, context.format);
  if (!name.ok()) return usage(context.err, name.status());
  const auto version = context.client.remove(*name, context.ns);
  if (!version.ok()) return fail(context.err, version.status());
  context.out << "version=" << *version << '\n';
  return kExitOk;
}

ExitCode run_range(DataContext& context, const RangeArguments& arguments) {
  const auto query = range_query(context, arguments);
  if (!query.ok()) return usage(context.err, query.status());
  const auto rows = context.client.range(*query);
  if (!rows.ok()) return fail(context.err, rows.status());
  for (const Row& row : *rows) {
    context.out << format_row(row, context.format, arguments.keys_only) << '\n';
  }
  return kExitOk;
}

ExitCode run_txn(DataContext& context, const std::string& script) {
  const auto steps = parse_txn_script(script);
  if (!steps.ok()) return usage(context.err, steps.status());
  auto txn = context.client.begin();
  if (!txn.ok()) return fail(context.err, txn.status());
  for (const ScriptStep& step : *steps) {
    const base::Status status = run_step(context, *txn, step);
    if (!status.ok()) {
      return fail(context.err, status.with_context(base::concat("line ", step.line, ": ")));
    }
  }
  CommitOutcome outcome = txn->commit();
  for (int attempt = 1; outcome.state == CommitState::kUnknown && attempt < kCommitAttemptsMax;
       ++attempt) {
    // The token makes the repetition safe; a refused one leaves the first outcome open.
    CommitOutcome again = txn->commit_again();
    if (again.state != CommitState::kRefused) outcome = std::move(again);
  }
  if (outcome.committed()) print_results(context, *steps, outcome);
  return print_outcome(context, outcome);
}

}  // namespace synod::client
