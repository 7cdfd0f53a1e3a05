// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "server/thrift/call_observer.h"

namespace synod::server {

/// The calls of one front: requests_total{front,op,code} and request_duration_seconds{front,op}.
///
/// Owned by ServerMetrics.
///
/// Invariants
///   FM1  After the first call of a method and code no lock is taken for them.
///   FM2  A method has at most kCodesMax codes of its own; further ones count as "OTHER".
///
/// Threads: any.
class FrontMetrics final : public CallObserver {
 public:
  FrontMetrics(std::string front, base::CounterFamily& requests,
               base::DistributionFamily& durations)
      : front_(std::move(front)), requests_(requests), durations_(durations) {}

  void on_call(std::uint32_t method, std::string_view name, std::string_view code,
               base::Nanos duration) override;

 private:
  static constexpr std::size_t kMethodsMax = 64;
  static constexpr std::size_t kCodesMax = 24;
  struct Code {
    std::string name;
    base::Counter* requests = nullptr;
  };
  struct Method {
    std::string name;
    base::Counter* successes = nullptr;
    base::Distribution* durations = nullptr;
    std::array<std::atomic<const Code*>, kCodesMax> errors{};  ///< Filled from the front.
  };
  Method& find_method(std::uint32_t number, std::string_view name);
  base::Counter& find_error(Method& method, std::string_view code);

  const std::string front_;
  base::CounterFamily& requests_;
  base::DistributionFamily& durations_;
  std::array<std::atomic<Method*>, kMethodsMax> methods_{};

  std::mutex mutex_;  ///< Of what adds to the arrays, and of what they point to.
  std::vector<std::unique_ptr<Method>> owned_methods_;
  std::vector<std::unique_ptr<const Code>> owned_codes_;
};

}  // namespace synod::server
