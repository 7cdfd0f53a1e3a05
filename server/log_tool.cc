// SPDX-License-Identifier: Apache-2.0
#include "server/log_tool.h"

#include <cstdint>
#include <cstdio>

#include "base/status.h"
#include "base/text.h"
#include "core/operation.h"
#include "router/operation_group.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"

namespace synod::server {
namespace {

constexpr int kOk = 0;
constexpr int kUsage = 2;
constexpr int kUnreadable = 3;
constexpr int kDamaged = 5;

constexpr const char* kUsageText =
    "usage: synod-server tool log-dump DATA_DIR   print every operation in the log\n"
    "       synod-server tool verify DATA_DIR     check every frame and operation\n";

const char* step_name(core::StepKind kind) {
  switch (kind) {
    case core::StepKind::kSet:
      return "set";
    case core::StepKind::kDelete:
      return "delete";
    case core::StepKind::kSetStampedKey:
      return "set-stamped-key";
    case core::StepKind::kSetStampedValue:
      return "set-stamped-value";
    case core::StepKind::kCheckVersion:
      return "check-version";
    case core::StepKind::kIncrement:
      return "increment";
    case core::StepKind::kAppend:
      return "append";
    case core::StepKind::kExpire:
      return "expire";
    case core::StepKind::kPersist:
      return "persist";
    case core::StepKind::kClearRange:
      return "clear-range";
    case core::StepKind::kClearNamespace:
      return "clear-namespace";
  }
  return "unknown";
}

const char* operation_name(core::OperationKind kind) {
  switch (kind) {
    case core::OperationKind::kCommit:
      return "commit";
    case core::OperationKind::kTick:
      return "tick";
    case core::OperationKind::kPolicy:
      return "policy";
    case core::OperationKind::kResume:
      return "resume";
  }
  return "unknown";
}

void print_operation(core::LogIndex index, const core::KvOperation& operation) {
  std::printf("%llu %s stamp=%lld read_version=%lld reads=%zu ranges=%zu\n",
              static_cast<unsigned long long>(index.value()), operation_name(operation.kind),
              static_cast<long long>(operation.stamp.value()),
              static_cast<long long>(operation.read_version), operation.read_keys.size(),
              operation.read_ranges.size());
  for (const auto& step : operation.steps) {
    std::printf("  %s ns='%s' key='%s' value_bytes=%zu ttl_ms=%lld number=%lld\n",
                step_name(step.kind), base::escape(step.ns).c_str(), base::escape(step.key).c_str(),
                step.value.size(), static_cast<long long>(step.ttl_ms),
                static_cast<long long>(step.number));
  }
}

}  // namespace

int run_tool(const std::vector<std::string>& arguments) {
  const bool known =
      arguments.size() == 2 && (arguments[0] == "log-dump" || arguments[0] == "verify");
  if (!known) {
    std::fputs(kUsageText, stderr);
    return kUsage;
  }
  const bool dump = arguments[0] == "log-dump";
  std::uint64_t operations = 0;
  const auto files = storage::make_posix_file_system();
  const auto inspected =
      storage::inspect_log(*files, arguments[1] + "/log", [&](const storage::LogFrame& frame) {
        return router::read_operation_group(
            frame.body, [&](core::LogIndex index, base::BytesView bytes) -> base::Status {
              const auto operation = core::decode_operation(bytes);
              if (!operation.ok()) return operation.status();
              ++operations;
              if (dump) print_operation(index, *operation);
              return {};
            });
      });
  if (!inspected.ok()) {
    std::fprintf(stderr, "%s\n", inspected.status().to_string().c_str());
    return inspected.status().code() == base::StatusCode::kCorruption ? kDamaged : kUnreadable;
  }
  for (const auto& damage : inspected->damages) {
    std::fprintf(stderr, "%s: damaged at offset %llu: %s\n", damage.file.c_str(),
                 static_cast<unsigned long long>(damage.offset), damage.reason.c_str());
  }
  std::printf("%llu frames, %llu operations, %zu damaged%s\n",
              static_cast<unsigned long long>(inspected->frames),
              static_cast<unsigned long long>(operations), inspected->damages.size(),
              inspected->torn_tail ? ", a torn last frame that was never acknowledged" : "");
  return inspected->damages.empty() ? kOk : kDamaged;
}

}  // namespace synod::server
