// SPDX-License-Identifier: Apache-2.0
#include "tests/history/history.h"

#include <istream>
#include <map>
#include <ostream>
#include <set>

#include "base/text.h"
#include "tests/history/report.h"

namespace synod::history {
namespace {

constexpr std::size_t kLineBytesMax = std::size_t{16} << 20;
constexpr std::size_t kFindingsShown = 20;

std::string shown(const std::optional<base::Bytes>& value) {
  return value.has_value() ? base::escape(*value, 200) : "(missing)";
}

std::string version_text(const Operation& op) {
  std::string text;
  if (op.read_version.has_value()) text = base::concat("read version ", *op.read_version);
  if (op.commit_version.has_value()) {
    text += base::concat(text.empty() ? "" : ", ", "commit version ", *op.commit_version);
  }
  return text.empty() ? text : base::concat(" (", text, ")");
}

std::string range_text(const MicroOp& op) {
  std::string text = base::concat("range [", base::escape(op.key), ", ", base::escape(op.end), ")");
  if (op.limit != 0) text += base::concat(" limit ", op.limit);
  if (!op.seen) return text;
  text += " = {";
  for (const Row& row : op.rows) {
    text += base::concat(" ", base::escape(row.key), "=", base::escape(row.value));
  }
  return text + " }";
}

base::Status wrong(std::int64_t index, std::string_view what) {
  return {base::StatusCode::kInvalidArgument, base::concat("event ", index, ": ", what)};
}

Operation opened_by(const Event& event) {
  Operation made;
  made.process = event.process;
  made.invoked = event.index;
  made.workload = event.workload;
  made.ops = event.ops;
  made.pinned = event.pinned;
  made.read_version = event.read_version;
  made.commit_version = event.commit_version;
  return made;
}

void complete(Operation& op, const Event& event) {
  if (!event.ops.empty()) op.ops = event.ops;
  if (event.read_version.has_value()) op.read_version = event.read_version;
  if (event.commit_version.has_value()) op.commit_version = event.commit_version;
  op.pinned = op.pinned || event.pinned;
  if (event.type == EventType::kInfo) return;
  op.outcome = event.type == EventType::kOk ? Outcome::kApplied : Outcome::kNotApplied;
  op.completed = event.index;
}

}  // namespace

std::string Report::to_string() const {
  std::string text = verdict() == Verdict::kOk    ? "ok"
                     : verdict() == Verdict::kBad ? "BAD"
                                                  : "unknown";
  text += base::concat(", ", checked, " operations checked\n");
  std::size_t number = 0;
  for (const Finding& finding : findings) {
    if (++number > kFindingsShown) {
      return text + base::concat("... and ", findings.size() - kFindingsShown, " more\n");
    }
    text += base::concat(finding.anomaly, ":\n", finding.explanation, "\n");
  }
  for (const std::string& reason : undecided) text += base::concat("undecided: ", reason, "\n");
  return text;
}

bool Operation::writes() const {
  for (const MicroOp& op : ops) {
    if (op.writes()) return true;
  }
  return false;
}

std::string Operation::to_string() const {
  std::string text = base::concat("#", invoked, "..");
  if (completed != kNever) text += std::to_string(completed);
  text += base::concat(" process ", process,
                       outcome == Outcome::kApplied      ? " ok:"
                       : outcome == Outcome::kNotApplied ? " failed:"
                                                         : " unknown:");
  for (const MicroOp& op : ops) text += base::concat(" ", history::to_string(op), ";");
  if (!ops.empty()) text.pop_back();
  return text + version_text(*this);
}

std::string to_string(const MicroOp& op) {
  const std::string key = base::escape(op.key);
  switch (op.kind) {
    case OpKind::kRead:
      if (!op.seen) return base::concat("r ", key);
      if (op.is_list) return base::concat("r ", key, " = [", op.value.value_or(""), "]");
      return base::concat("r ", key, " = ", shown(op.value));
    case OpKind::kWrite:
      return base::concat("w ", key, " = ", shown(op.value));
    case OpKind::kDelete:
      return base::concat("del ", key);
    case OpKind::kCas:
      return base::concat("cas ", key, " ", shown(op.expected), " -> ", shown(op.value),
                          !op.seen     ? ""
                          : op.swapped ? " done"
                                       : " refused");
    case OpKind::kAppend:
      return base::concat("append ", key, " ", shown(op.value));
    case OpKind::kIncrement:
      return base::concat("inc ", key, " ", shown(op.value));
    case OpKind::kRange:
      return range_text(op);
  }
  SYNOD_ASSERT(false, "every OpKind has a text");
}

std::vector<std::string_view> list_elements(std::string_view value) {
  std::vector<std::string_view> elements;
  if (value.empty()) return elements;
  std::string_view rest = value;
  for (;;) {
    const std::size_t comma = rest.find(',');
    elements.push_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) return elements;
    rest.remove_prefix(comma + 1);
  }
}

base::Bytes list_with(const std::optional<base::Bytes>& value, std::string_view element) {
  if (!value.has_value() || value->empty()) return base::Bytes(element);
  base::Bytes longer;
  longer.reserve(value->size() + 1 + element.size());
  longer.append(*value).append(1, ',').append(element);
  return longer;
}

base::Result<std::vector<Event>> read_history(std::istream& in, std::size_t events_max) {
  std::vector<Event> events;
  std::string line;
  while (std::getline(in, line)) {
    const auto number = static_cast<std::int64_t>(events.size());
    if (line.size() > kLineBytesMax) return wrong(number, "the line is too long");
    if (events.size() >= events_max) return wrong(number, "more events than allowed");
    auto event = event_of_json(line);
    if (!event.ok()) return event.status().with_context(base::concat("line ", number + 1, ": "));
    if (event->index != number) return wrong(number, "indices are not dense");
    if (!events.empty() && event->time < events.back().time) {
      return wrong(number, "time goes back");
    }
    events.push_back(std::move(event).value());
  }
  if (in.bad()) return base::Status(base::StatusCode::kIoError, "the history cannot be read");
  return events;
}

base::Status write_history(std::ostream& out, const std::vector<Event>& events) {
  for (const Event& event : events) out << to_json(event) << '\n';
  if (!out.flush()) return {base::StatusCode::kIoError, "the history cannot be written"};
  return {};
}

base::Result<std::vector<Operation>> operations_of(const std::vector<Event>& events) {
  std::vector<Operation> operations;
  std::map<std::int64_t, std::size_t> open;
  std::set<std::int64_t> ended;
  for (const Event& event : events) {
    if (event.process == kNemesis) continue;
    if (ended.contains(event.process)) {
      return wrong(event.index, "the process goes on after an unknown outcome");
    }
    const auto found = open.find(event.process);
    if (event.type == EventType::kInvoke) {
      if (found != open.end()) return wrong(event.index, "the process has an open operation");
      open.emplace(event.process, operations.size());
      operations.push_back(opened_by(event));
      continue;
    }
    if (found == open.end()) return wrong(event.index, "a completion without an invocation");
    Operation& op = operations[found->second];
    if (op.workload != event.workload) return wrong(event.index, "completes another workload");
    complete(op, event);
    open.erase(found);
    if (event.type == EventType::kInfo) ended.insert(event.process);
  }
  return operations;
}

void Recorder::record(Event event) {
  const std::lock_guard lock(mutex_);
  event.index = static_cast<std::int64_t>(events_.size());
  event.time = clock_.boot_time().count();
  if (file_ != nullptr) (*file_ << to_json(event) << '\n').flush();
  events_.push_back(std::move(event));
}

std::int64_t Recorder::new_process() {
  const std::lock_guard lock(mutex_);
  return next_process_++;
}

base::Result<std::vector<Event>> Recorder::finish() {
  const std::lock_guard lock(mutex_);
  if (file_ != nullptr && !file_->good()) {
    return base::Status(base::StatusCode::kIoError, "the history could not be written");
  }
  return std::move(events_);
}

}  // namespace synod::history
