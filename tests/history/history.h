// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"

namespace synod::history {

enum class EventType : std::uint8_t {
  kInvoke,
  kOk,
  kFail,  ///< Surely not applied.
  kInfo,  ///< Perhaps applied, now or later. The process never speaks again.
};

/// One process of what a client saw or wrote; each line names its form in JSON.
enum class OpKind : std::uint8_t {
  kRead,       ///< ["r", key] before, ["r", key, value | null | [elements]] after.
  kWrite,      ///< ["w", key, value]
  kDelete,     ///< ["del", key]
  kCas,        ///< ["cas", key, expected | null, value] before; true or false added after.
  kAppend,     ///< ["append", key, element]: the value is a list, elements joined by commas.
  kIncrement,  ///< ["inc", key, number]: the value is a decimal number.
  kRange,      ///< ["rp", [begin, end, limit]] before; [[key, value], ...] added after.
};

struct Row {
  base::Bytes key;
  base::Bytes value;
  bool operator==(const Row&) const = default;
};

/// One step of an operation.
struct MicroOp {
  OpKind kind = OpKind::kRead;
  base::Bytes key;                      ///< kRange: where it begins.
  base::Bytes end;                      ///< kRange: exclusive; empty means to the last key.
  std::uint32_t limit = 0;              ///< kRange: at most that many rows; 0: all.
  std::optional<base::Bytes> value;     ///< Seen or written; nullopt: the key is missing.
  std::optional<base::Bytes> expected;  ///< kCas; nullopt: expects a missing key.
  bool seen = false;                    ///< Reads, ranges, cas: the result is known.
  bool swapped = false;                 ///< kCas: it was equal and was replaced.
  bool is_list = false;                 ///< kRead: of a list; a missing key is the empty list.
  std::vector<Row> rows;                ///< kRange.

  bool operator==(const MicroOp&) const = default;
  [[nodiscard]] bool writes() const { return kind != OpKind::kRead && kind != OpKind::kRange; }
};

/// Faults and other remarks are recorded under this process.
inline constexpr std::int64_t kNemesis = -1;

/// A line of a history.
struct Event {
  std::int64_t index = 0;    ///< Dense from 0, in order of recording.
  std::int64_t time = 0;     ///< Boot time in nanoseconds; never decreases.
  std::int64_t process = 0;  ///< A logical client with one operation at a time; or kNemesis.
  EventType type = EventType::kInvoke;
  std::string workload;  ///< "f" in JSON: what kind of operation it is.
  std::vector<MicroOp> ops;
  std::optional<std::int64_t> read_version;    ///< "rv"
  std::optional<std::int64_t> commit_version;  ///< "cv"
  bool pinned = false;  ///< The reader chose the version itself: it may be old.
  std::string token;    ///< Of the commit, for looking up its outcome.
  std::string node;
  std::string error;

  bool operator==(const Event&) const = default;
};

enum class Outcome : std::uint8_t { kApplied, kNotApplied, kUnknown };

/// An invocation with its completion.
struct Operation {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::int64_t process = 0;
  std::int64_t invoked = 0;         ///< Index of the event.
  std::int64_t completed = kNever;  ///< Likewise; kNever if the outcome is unknown.
  Outcome outcome = Outcome::kUnknown;
  std::string workload;
  std::vector<MicroOp> ops;
  std::optional<std::int64_t> read_version;
  std::optional<std::int64_t> commit_version;
  bool pinned = false;

  [[nodiscard]] bool writes() const;
  /// "#4..9 process 2 ok: r x = 1; w y = 2 (read version 7, commit version 8)".
  [[nodiscard]] std::string to_string() const;
};

[[nodiscard]] std::string to_string(const MicroOp& op);
/// The elements of a list value, as views into it.
[[nodiscard]] std::vector<std::string_view> list_elements(std::string_view value);
/// Likewise; a missing key is the empty list. Not from a temporary.
[[nodiscard]] inline std::vector<std::string_view> list_of(
    const std::optional<base::Bytes>& value) {
  return value.has_value() ? list_elements(*value) : std::vector<std::string_view>();
}
void list_of(std::optional<base::Bytes>&&) = delete;
/// The list with one more element.
[[nodiscard]] base::Bytes list_with(const std::optional<base::Bytes>& value,
                                    std::string_view element);

/// One line of JSON without its end.
[[nodiscard]] std::string to_json(const Event& event);
[[nodiscard]] base::Result<Event> event_of_json(std::string_view line);

/// Reads a whole history: kInvalidArgument names the line. Indices must be dense, times ordered.
/// At most `events_max` events and 16 MiB a line.
[[nodiscard]] base::Result<std::vector<Event>> read_history(std::istream& in,
                                                            std::size_t events_max = 50'000'000);
base::Status write_history(std::ostream& out, const std::vector<Event>& events);

/// Pairs invocations with completions, in order of invocation; what is open at the end is unknown.
/// kInvalidArgument if the history breaks its own rules: a completion without invocation, two
/// operations of one process at once, a process that goes on after kInfo. A completion without
/// steps has those of its invocation.
[[nodiscard]] base::Result<std::vector<Operation>> operations_of(const std::vector<Event>& events);

/// Gathers events from many threads.
///
/// Invariants
///   R1  Index and time are given under one lock: index order is real-time order.
///   R2  With a file, an event is written before record() returns, so that an invocation is on
///       record before anything is sent.
///
/// Threads: thread-safe.
/// Failure: a write that fails is reported by finish().
class Recorder {
 public:
  explicit Recorder(const base::Clock& clock, std::ostream* file = nullptr)
      : clock_(clock), file_(file) {}

  /// Sets index and time.
  void record(Event event);
  /// A number that no other process of this history has.
  [[nodiscard]] std::int64_t new_process();
  /// Everything recorded; call it when nobody records any more.
  [[nodiscard]] base::Result<std::vector<Event>> finish();

 private:
  const base::Clock& clock_;
  std::ostream* const file_;
  std::mutex mutex_;
  std::vector<Event> events_;      // guarded by mutex_
  std::int64_t next_process_ = 0;  // guarded by mutex_
};

}  // namespace synod::history
