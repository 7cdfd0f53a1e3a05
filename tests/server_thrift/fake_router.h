// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "router/request_router.h"

namespace synod::server {

/// A database of one map behind the router's interface: enough meaning for the front's tests.
///
/// With `hold`, completions wait until `release`, so that tests choose when and in which order
/// things end; effects then happen at release, as in a log that takes its time.
class FakeRouter final : public router::RequestRouter {
 public:
  void submit(core::KvOperation operation, const router::RequestContext& context,
              base::Function<void(core::Outcome)> done) override {
    last_operation = operation;
    last_context = context;
    trace.push_back("submit " + (operation.steps.empty() ? "" : operation.steps[0].key));
    finish([this, operation = std::move(operation), done = std::move(done)]() mutable {
      done(next_outcome.has_value() ? *next_outcome : execute(operation));
    });
  }
  void read(core::PointReadRequest request, const router::RequestContext& context,
            base::Function<void(core::PointReadReply)> done) override {
    last_read = request;
    last_context = context;
    trace.push_back("read " + request.key);
    core::PointReadReply reply = next_read.value_or(core::PointReadReply{});
    if (!next_read.has_value()) {
      const auto found = rows.find({space_name(request.ns), request.key});
      if (request.namespace_must_exist && !namespace_exists(request.ns)) {
        reply.code = core::OutcomeCode::kUnknownNamespace;
      } else if (found != rows.end()) {
        reply.found = true;
        reply.value = found->second;
      }
    }
    finish(
        [reply = std::move(reply), done = std::move(done)]() mutable { done(std::move(reply)); });
  }
  void read_range(core::RangeReadRequest request, const router::RequestContext& context,
                  base::Function<void(core::RangeReadReply)> done) override {
    last_range = request;
    last_context = context;
    trace.push_back("range " + request.begin);
    core::RangeReadReply reply = next_range.has_value() ? *next_range : scan(request);
    finish(
        [reply = std::move(reply), done = std::move(done)]() mutable { done(std::move(reply)); });
  }
  void read_version(const router::RequestContext& context,
                    base::Function<void(core::VersionReply)> done) override {
    last_context = context;
    trace.push_back("version");
    core::VersionReply reply = next_version.value_or(core::VersionReply{});
    if (!next_version.has_value()) reply.version = core::Version(version);
    finish([reply, done = std::move(done)]() mutable { done(reply); });
  }
  [[nodiscard]] std::vector<router::NodeView> nodes() const override { return node_views; }
  [[nodiscard]] router::DatabaseCounters counters() const override { return database_counters; }

  /// Ends the held request at `index`, counted from the oldest.
  void release(std::size_t index = 0) {
    auto completion = std::move(held.at(index));
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    completion();
  }
  void release_all() {
    while (!held.empty()) release();
  }

  bool hold = false;
  std::deque<base::Function<void()>> held;
  std::vector<std::string> trace;
  std::map<std::pair<std::string, std::string>, std::string> rows;
  std::int64_t version = 41;

  std::optional<core::Outcome> next_outcome;
  std::optional<core::PointReadReply> next_read;
  std::optional<core::RangeReadReply> next_range;
  std::optional<core::VersionReply> next_version;
  std::vector<router::NodeView> node_views;
  router::DatabaseCounters database_counters;

  core::KvOperation last_operation;
  core::PointReadRequest last_read;
  core::RangeReadRequest last_range;
  router::RequestContext last_context;

 private:
  static std::string space_name(const std::string& ns) { return ns == "default" ? "" : ns; }
  [[nodiscard]] bool namespace_exists(const std::string& ns) const {
    const std::string name = space_name(ns);
    return name.empty() || std::any_of(rows.begin(), rows.end(),
                                       [&](const auto& row) { return row.first.first == name; });
  }
  void finish(base::Function<void()> completion) {
    if (hold) {
      held.push_back(std::move(completion));
    } else {
      completion();
    }
  }
  core::Outcome execute(const core::KvOperation& operation) {
    core::Outcome out;
    out.version = core::Version(++version);
    std::uint16_t order = 0;
    for (core::Step step : operation.steps) {
      core::StepResult result;
      if (step.kind == core::StepKind::kSetStampedKey) {
        stamp(step, step.key, order, result);
      } else if (step.kind == core::StepKind::kSetStampedValue) {
        stamp(step, step.value, order, result);
      }
      const std::pair<std::string, std::string> key{space_name(step.ns), step.key};
      result.existed = rows.count(key) > 0;
      if (step.kind == core::StepKind::kDelete) {
        rows.erase(key);
      } else {
        rows[key] = step.value;
      }
      out.results.push_back(std::move(result));
    }
    return out;
  }
  void stamp(const core::Step& step, std::string& buffer, std::uint16_t& order,
             core::StepResult& result) const {
    const bool zero_tail =
        buffer.size() >= 10 && buffer.substr(buffer.size() - 10) == std::string(10, '\0');
    if (zero_tail || (step.flags & core::kStampOnlyZeroTail) == 0) {
      base::store_be64(buffer.data() + buffer.size() - 10, static_cast<std::uint64_t>(version));
      base::store_be16(buffer.data() + buffer.size() - 2, order++);
    }
    result.generated = buffer;
  }
  [[nodiscard]] core::RangeReadReply scan(const core::RangeReadRequest& request) const {
    core::RangeReadReply out;
    std::uint64_t skip = request.skip;
    const std::string ns = space_name(request.ns);
    for (auto row = rows.lower_bound({ns, request.begin}); row != rows.end(); ++row) {
      const auto& [name, key] = row->first;
      if (name != ns) break;
      if (key == request.begin && !request.begin_inclusive) continue;
      if (request.end.has_value() &&
          (key > *request.end || (key == *request.end && !request.end_inclusive))) {
        break;
      }
      if (skip > 0) {
        --skip;
        continue;
      }
      if (request.limit > 0 && out.rows.size() == request.limit) {
        out.has_more = true;
        break;
      }
      out.rows.emplace_back(key, row->second);
    }
    return out;
  }
};

}  // namespace synod::server
