// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>

#include "base/text.h"
#include "tests/history/history.h"
#include "tests/history/json.h"

namespace synod::history {
namespace {

constexpr std::array<std::string_view, 4> kTypes{"invoke", "ok", "fail", "info"};
constexpr std::array<std::string_view, 7> kKinds{"r", "w", "del", "cas", "append", "inc", "rp"};
constexpr std::string_view kNemesisName = "nemesis";

void append_value(std::string& out, const std::optional<base::Bytes>& value) {
  if (value.has_value()) {
    append_json_string(out, *value);
  } else {
    out += "null";
  }
}

void append_list(std::string& out, const std::optional<base::Bytes>& value) {
  out.push_back('[');
  bool first = true;
  for (const std::string_view element : list_of(value)) {
    if (!first) out.push_back(',');
    first = false;
    append_json_string(out, element);
  }
  out.push_back(']');
}

void append_range(std::string& out, const MicroOp& op) {
  out += ",[";
  append_json_string(out, op.key);
  out.push_back(',');
  append_json_string(out, op.end);
  out += base::concat(",", op.limit, "]");
  if (!op.seen) return;
  out += ",[";
  bool first = true;
  for (const Row& row : op.rows) {
    out += first ? "[" : ",[";
    first = false;
    append_json_string(out, row.key);
    out.push_back(',');
    append_json_string(out, row.value);
    out.push_back(']');
  }
  out.push_back(']');
}

void append_op(std::string& out, const MicroOp& op) {
  out += base::concat("[\"", kKinds[static_cast<std::size_t>(op.kind)], "\"");
  if (op.kind == OpKind::kRange) {
    append_range(out, op);
    out.push_back(']');
    return;
  }
  out.push_back(',');
  append_json_string(out, op.key);
  if (op.kind == OpKind::kRead && op.seen) {
    out.push_back(',');
    if (op.is_list) {
      append_list(out, op.value);
    } else {
      append_value(out, op.value);
    }
  } else if (op.kind == OpKind::kWrite || op.kind == OpKind::kAppend) {
    out.push_back(',');
    append_value(out, op.value);
  } else if (op.kind == OpKind::kIncrement) {
    out += base::concat(",", *op.value);
  } else if (op.kind == OpKind::kCas) {
    out.push_back(',');
    append_value(out, op.expected);
    out.push_back(',');
    append_value(out, op.value);
    if (op.seen) out += op.swapped ? ",true" : ",false";
  }
  out.push_back(']');
}

void append_field(std::string& out, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  out += base::concat(",\"", name, "\":");
  append_json_string(out, text);
}

base::Status wrong(std::string_view what) {
  return {base::StatusCode::kInvalidArgument, std::string(what)};
}

/// A value or null.
bool take_value(const Json& json, std::optional<base::Bytes>& value) {
  if (json.is_null()) return true;
  if (json.text() == nullptr) return false;
  value = *json.text();
  return true;
}

bool take_list(const Json::Array& list, MicroOp& op) {
  op.is_list = true;
  for (const Json& element : list) {
    const std::string* text = element.text();
    if (text == nullptr || text->empty() || text->find(',') != std::string::npos) return false;
    op.value = list_with(op.value, *text);
  }
  return true;
}

bool take_rows(const Json& json, MicroOp& op) {
  if (json.array() == nullptr) return false;
  op.seen = true;
  for (const Json& row : *json.array()) {
    const Json::Array* pair = row.array();
    if (pair == nullptr || pair->size() != 2) return false;
    if ((*pair)[0].text() == nullptr || (*pair)[1].text() == nullptr) return false;
    op.rows.push_back({*(*pair)[0].text(), *(*pair)[1].text()});
  }
  return true;
}

bool take_range(const Json::Array& parts, MicroOp& op) {
  const Json::Array* bounds = parts.size() < 2 || parts.size() > 3 ? nullptr : parts[1].array();
  if (bounds == nullptr || bounds->size() != 3) return false;
  const std::int64_t* limit = (*bounds)[2].number();
  if ((*bounds)[0].text() == nullptr || (*bounds)[1].text() == nullptr) return false;
  if (limit == nullptr || *limit < 0 || *limit > UINT32_MAX) return false;
  op.key = *(*bounds)[0].text();
  op.end = *(*bounds)[1].text();
  op.limit = static_cast<std::uint32_t>(*limit);
  return parts.size() == 2 || take_rows(parts[2], op);
}

bool take_cas(const Json::Array& parts, MicroOp& op) {
  if (parts.size() < 4 || parts.size() > 5 || parts[3].text() == nullptr) return false;
  op.value = *parts[3].text();
  if (!take_value(parts[2], op.expected)) return false;
  if (parts.size() == 4) return true;
  if (parts[4].boolean() == nullptr) return false;
  op.seen = true;
  op.swapped = *parts[4].boolean();
  return true;
}

bool take_point(const Json::Array& parts, MicroOp& op) {
  if (parts.size() < 2 || parts[1].text() == nullptr) return false;
  op.key = *parts[1].text();
  switch (op.kind) {
    case OpKind::kRead:
      if (parts.size() == 2) return true;
      op.seen = true;
      if (parts.size() != 3) return false;
      if (parts[2].array() != nullptr) return take_list(*parts[2].array(), op);
      return take_value(parts[2], op.value);
    case OpKind::kWrite:
    case OpKind::kAppend:
      return parts.size() == 3 && parts[2].text() != nullptr && take_value(parts[2], op.value);
    case OpKind::kDelete:
      return parts.size() == 2;
    case OpKind::kIncrement:
      if (parts.size() != 3 || parts[2].number() == nullptr) return false;
      op.value = std::to_string(*parts[2].number());
      return true;
    case OpKind::kCas:
      return take_cas(parts, op);
    case OpKind::kRange:
      break;
  }
  return false;
}

base::Result<MicroOp> op_of_json(const Json& json) {
  const Json::Array* parts = json.array();
  if (parts == nullptr || parts->empty() || (*parts)[0].text() == nullptr) {
    return wrong("a step is not a list that begins with its kind");
  }
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] != *(*parts)[0].text()) continue;
    MicroOp op;
    op.kind = static_cast<OpKind>(i);
    const bool good = op.kind == OpKind::kRange ? take_range(*parts, op) : take_point(*parts, op);
    if (!good) return wrong(base::concat("a malformed step of kind ", kKinds[i]));
    return op;
  }
  return wrong("a step of unknown kind");
}

/// Copies one field; false if its name or type is none of ours.
bool take_field(std::string_view name, const Json& json, Event& event) {
  const auto number = [&](auto& into) {
    if (json.number() != nullptr) into = *json.number();
    return json.number() != nullptr;
  };
  const auto text = [&](std::string& into) {
    if (json.text() != nullptr) into = *json.text();
    return json.text() != nullptr;
  };
  if (name == "index") return number(event.index);
  if (name == "time") return number(event.time);
  if (name == "rv") return number(event.read_version);
  if (name == "cv") return number(event.commit_version);
  if (name == "f") return text(event.workload);
  if (name == "token") return text(event.token);
  if (name == "node") return text(event.node);
  if (name == "err") return text(event.error);
  if (name == "pinned" && json.boolean() != nullptr) {
    event.pinned = *json.boolean();
    return true;
  }
  if (name == "process") {
    if (json.text() == nullptr) return number(event.process) && event.process >= 0;
    event.process = kNemesis;
    return *json.text() == kNemesisName;
  }
  if (name == "type" && json.text() != nullptr) {
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      if (kTypes[i] != *json.text()) continue;
      event.type = static_cast<EventType>(i);
      return true;
    }
  }
  return false;
}

}  // namespace

std::string to_json(const Event& event) {
  std::string out = base::concat("{\"index\":", event.index, ",\"time\":", event.time);
  if (event.process == kNemesis) {
    out += base::concat(",\"process\":\"", kNemesisName, "\"");
  } else {
    out += base::concat(",\"process\":", event.process);
  }
  out += base::concat(",\"type\":\"", kTypes[static_cast<std::size_t>(event.type)], "\"");
  append_field(out, "f", event.workload);
  out += ",\"value\":[";
  for (std::size_t i = 0; i < event.ops.size(); ++i) {
    if (i != 0) out.push_back(',');
    append_op(out, event.ops[i]);
  }
  out.push_back(']');
  if (event.read_version.has_value()) out += base::concat(",\"rv\":", *event.read_version);
  if (event.commit_version.has_value()) out += base::concat(",\"cv\":", *event.commit_version);
  if (event.pinned) out += ",\"pinned\":true";
  append_field(out, "token", event.token);
  append_field(out, "node", event.node);
  append_field(out, "err", event.error);
  out.push_back('}');
  return out;
}

base::Result<Event> event_of_json(std::string_view line) {
  SYNOD_ASSIGN_OR_RETURN(const Json json, parse_json(line));
  if (json.object() == nullptr) return wrong("not an object");
  Event event;
  int required = 0;
  for (const auto& [name, value] : *json.object()) {
    if (name == "index" || name == "time" || name == "process" || name == "type") ++required;
    if (name != "value") {
      if (!take_field(name, value, event)) return wrong(base::concat("field \"", name, "\""));
      continue;
    }
    if (value.array() == nullptr) return wrong("\"value\" is not a list");
    for (const Json& step : *value.array()) {
      SYNOD_ASSIGN_OR_RETURN(MicroOp op, op_of_json(step));
      event.ops.push_back(std::move(op));
    }
  }
  if (required != 4) return wrong("index, time, process or type is missing");
  return event;
}

}  // namespace synod::history
