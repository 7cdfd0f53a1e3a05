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

/// Calls that took as long as this count as slow.
inline constexpr base::Nanos kSlowRequest = std::chrono::milliseconds(100);

/// The families of calls, shared by all fronts.
struct CallFamilies {
  base::CounterFamily& requests;        ///< front, op, code
  base::DistributionFamily& durations;  ///< front, op
  base::CounterFamily& slow;            ///< front, op
};

/// The calls of one front: requests_total{front,op,code}, request_duration_seconds{front,op} and
/// slow_requests_total{front,op}.
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
  FrontMetrics(std::string front, const CallFamilies& families)
      : front_(std::move(front)), families_(families) {}

  void on_call(std::uint32_t method, std::string_view name, std::string_view code,
               base::Nanos duration) override;
  /// Calls refused because as many operations waited as may.
  [[nodiscard]] std::uint64_t refused_as_busy() const { return busy_.load(); }

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
    base::Counter* slow = nullptr;
    std::array<std::atomic<const Code*>, kCodesMax> errors{};  ///< Filled from the front.
  };
  Method& find_method(std::uint32_t number, std::string_view name);
  base::Counter& find_error(Method& method, std::string_view code);

  const std::string front_;
  const CallFamilies families_;
  std::atomic<std::uint64_t> busy_{0};
  std::array<std::atomic<Method*>, kMethodsMax> methods_{};

  std::mutex mutex_;  ///< Of what adds to the arrays, and of what they point to.
  std::vector<std::unique_ptr<Method>> owned_methods_;
  std::vector<std::unique_ptr<const Code>> owned_codes_;
};

}  // namespace synod::server
