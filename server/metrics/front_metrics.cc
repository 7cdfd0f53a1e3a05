// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/front_metrics.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/outcome.h"

namespace synod::server {

void FrontMetrics::on_call(std::uint32_t number, std::string_view name, std::string_view code,
                           base::Nanos duration) {
  Method& method = find_method(number, name);
  base::Counter& requests = code.empty() ? *method.successes : find_error(method, code);
  requests.add();
  if (duration >= kSlowRequest) method.slow->add();
  if (code == core::outcome_code_name(core::OutcomeCode::kBusy)) busy_.fetch_add(1);
  method.durations->record(static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)));
}

FrontMetrics::Method& FrontMetrics::find_method(std::uint32_t number, std::string_view name) {
  SYNOD_ASSERT(number < kMethodsMax, "a front has at most kMethodsMax methods");
  if (Method* known = methods_[number].load(std::memory_order_acquire)) return *known;
  const std::lock_guard lock(mutex_);
  if (Method* known = methods_[number].load(std::memory_order_acquire)) return *known;
  auto method = std::make_unique<Method>();
  method->name = name;
  method->successes = &families_.requests.with({front_, name, "OK"});
  method->slow = &families_.slow.with({front_, name});
  method->durations = &families_.durations.with({front_, name});
  methods_[number].store(method.get(), std::memory_order_release);
  owned_methods_.push_back(std::move(method));
  return *owned_methods_.back();
}

base::Counter& FrontMetrics::find_error(Method& method, std::string_view code) {
  for (const auto& error : method.errors) {
    const Code* known = error.load(std::memory_order_acquire);
    if (known == nullptr) break;
    if (known->name == code) return *known->requests;
  }
  const std::lock_guard lock(mutex_);
  for (auto& error : method.errors) {
    const Code* known = error.load(std::memory_order_acquire);
    if (known != nullptr && known->name == code) return *known->requests;
    if (known != nullptr) continue;
    base::Counter& requests = families_.requests.with({front_, method.name, code});
    owned_codes_.push_back(std::make_unique<const Code>(Code{std::string(code), &requests}));
    error.store(owned_codes_.back().get(), std::memory_order_release);
    return requests;
  }
  return families_.requests.with({front_, method.name, "OTHER"});  // FM2
}

}  // namespace synod::server
