// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace synod::base {

/// What went wrong, as a caller may need to act on it. Expected failures only: programmer errors
/// abort through SYNOD_ASSERT, and a broken promise of the disk stops the process.
enum class StatusCode : std::uint8_t {
  kOk,
  kInvalidArgument,  ///< The request can never succeed as it stands.
  kNotFound,         ///< The named thing does not exist.
  kAlreadyExists,    ///< The thing to create is there already.
  kLimitExceeded,    ///< A configured limit; the message names it with its value.
  kBusy,             ///< A queue is full; nothing was done, try again.
  kNoSpace,          ///< The disk reserve is reached; nothing was done.
  kTimeout,          ///< The deadline passed before anything was done.
  kCorruption,       ///< Stored bytes are not what was written; the message names file and offset.
  kIoError,          ///< The operating system refused an I/O request.
  kUnsupported,      ///< Known but not enabled or not implemented by this backend.
  kClosed,           ///< The peer or the component is gone.
  kOutcomeUnknown,   ///< Perhaps done, perhaps not: neither success nor failure.
  kUnavailable,      ///< Not here or not now: the message says who, or what is missing.
  kInternal,         ///< None of the above.
};

/// The stable upper-case name of a code, for logs and replies.
std::string_view status_code_name(StatusCode code);

/// Success, or a code with a message for people. Values, never thrown.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    SYNOD_ASSERT(code != StatusCode::kOk, "an error status needs an error code");
  }

  [[nodiscard]] bool ok() const { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  /// "CODE: message", or "OK".
  [[nodiscard]] std::string to_string() const;

  /// The same code with `context` put before the message.
  [[nodiscard]] Status with_context(std::string_view context) const;

  /// For the rare place where failure is acceptable; the reason stands beside the call.
  void ignore() const {}

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value or the Status that explains its absence.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status)
      : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT(google-explicit-constructor)
    SYNOD_ASSERT(!std::get<1>(state_).ok(), "a Result without a value needs an error");
  }

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  [[nodiscard]] Status status() const { return ok() ? Status() : std::get<1>(state_); }

  [[nodiscard]] T& value() & {
    SYNOD_ASSERT(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  [[nodiscard]] const T& value() const& {
    SYNOD_ASSERT(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  [[nodiscard]] T&& value() && {
    SYNOD_ASSERT(ok(), "value() of a failed Result");
    return std::move(std::get<0>(state_));
  }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace synod::base

#define SYNOD_CONCAT_INNER(a, b) a##b
#define SYNOD_CONCAT(a, b) SYNOD_CONCAT_INNER(a, b)

/// Returns the Status of `expr` from the enclosing function unless it is ok.
#define SYNOD_RETURN_IF_ERROR(expr)              \
  do {                                           \
    ::synod::base::Status synod_status = (expr); \
    if (!synod_status.ok()) return synod_status; \
  } while (false)

/// Declares `decl` from the Result `expr`, or returns its Status.
#define SYNOD_ASSIGN_OR_RETURN(decl, expr)                 \
  auto SYNOD_CONCAT(synod_result_, __LINE__) = (expr);     \
  if (!SYNOD_CONCAT(synod_result_, __LINE__).ok()) {       \
    return SYNOD_CONCAT(synod_result_, __LINE__).status(); \
  }                                                        \
  decl = std::move(SYNOD_CONCAT(synod_result_, __LINE__)).value()
