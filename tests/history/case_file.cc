// SPDX-License-Identifier: Apache-2.0
#include "tests/history/case_file.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace synod::history {
namespace {

using Words = std::vector<std::string>;

std::optional<base::Bytes> value_of(const std::string& word) {
  if (word == "-") return std::nullopt;
  return word;
}

bool parse_read(const Words& words, MicroOp& step) {
  if (words.size() == 2) return true;
  if (words.size() != 3) return false;
  step.seen = true;
  const std::string& word = words[2];
  step.is_list = word.front() == '[' && word.back() == ']';
  step.value = step.is_list ? word.substr(1, word.size() - 2) : value_of(word);
  if (step.is_list && step.value->empty()) step.value.reset();
  return true;
}

bool parse_cas(const Words& words, MicroOp& step) {
  if (words.size() != 4 && words.size() != 5) return false;
  step.expected = value_of(words[2]);
  step.value = words[3];
  step.seen = words.size() == 5;
  step.swapped = step.seen && words[4] == "yes";
  return true;
}

bool parse_range(const Words& words, MicroOp& step) {
  if (words.size() < 3) return false;
  step.end = words[2] == "-" ? "" : words[2];
  for (std::size_t i = 3; i < words.size(); ++i) {
    std::string word = words[i];
    if (word.starts_with("limit=")) {
      step.limit = static_cast<std::uint32_t>(std::atoi(word.c_str() + 6));
      continue;
    }
    if (word.front() == '{') word.erase(0, 1);
    if (!word.empty() && word.back() == '}') word.pop_back();
    step.seen = true;
    if (word.empty()) continue;
    const std::size_t equal = word.find('=');
    if (equal == std::string::npos) return false;
    step.rows.push_back({word.substr(0, equal), word.substr(equal + 1)});
  }
  return true;
}

bool parse_step(const std::string& text, MicroOp& step) {
  std::istringstream in(text);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  if (words.size() < 2) return false;
  step.key = words[1];
  if (words[0] == "r") return parse_read(words, step);
  if (words[0] == "range") {
    step.kind = OpKind::kRange;
    return parse_range(words, step);
  }
  if (words[0] == "cas") {
    step.kind = OpKind::kCas;
    return parse_cas(words, step);
  }
  if (words[0] == "del") {
    step.kind = OpKind::kDelete;
    return words.size() == 2;
  }
  step.kind = words[0] == "append" ? OpKind::kAppend
              : words[0] == "inc"  ? OpKind::kIncrement
                                   : OpKind::kWrite;
  if (words.size() != 3 || (step.kind == OpKind::kWrite && words[0] != "w")) return false;
  step.value = words[2];
  return true;
}

/// rv=, cv= and pinned in front of the steps; returns what follows.
std::string take_versions(std::string text, Event& event) {
  for (;;) {
    text.erase(0, text.find_first_not_of(' '));
    const std::string word = text.substr(0, text.find(' '));
    if (word.starts_with("rv=")) {
      event.read_version = std::atoll(word.c_str() + 3);
    } else if (word.starts_with("cv=")) {
      event.commit_version = std::atoll(word.c_str() + 3);
    } else if (word == "pinned") {
      event.pinned = true;
    } else {
      return text;
    }
    text.erase(0, word.size());
  }
}

void add(Case& into, Event event) {
  event.index = static_cast<std::int64_t>(into.events.size());
  event.time = event.index;
  into.events.push_back(std::move(event));
}

bool parse_event(const std::string& line, Case& into) {
  std::istringstream in(line);
  std::string process;
  std::string type;
  std::string rest;
  in >> process >> type;
  std::getline(in, rest);
  Event event;
  event.process = process[0] - 'A';
  event.workload = "case";
  std::istringstream steps(take_versions(rest, event));
  for (std::string step; std::getline(steps, step, ';');) {
    MicroOp parsed;
    if (!parse_step(step, parsed)) return false;
    event.ops.push_back(std::move(parsed));
  }
  if (type == "do") {
    add(into, event);
    type = "ok";
  }
  event.type = type == "ok"     ? EventType::kOk
               : type == "fail" ? EventType::kFail
               : type == "info" ? EventType::kInfo
                                : EventType::kInvoke;
  const bool known = event.type != EventType::kInvoke || type == "invoke";
  add(into, std::move(event));
  return known && process.size() == 1;
}

}  // namespace

base::Result<std::vector<Case>> read_cases(const std::string& path) {
  std::ifstream in(path);
  if (!in) return base::Status(base::StatusCode::kIoError, path);
  std::vector<Case> cases;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const base::Status wrong(base::StatusCode::kInvalidArgument,
                             base::concat(path, ":", number, ": ", line));
    if (line.starts_with("case ")) {
      const std::size_t colon = line.find(": ");
      if (colon == std::string::npos) return wrong;
      cases.push_back({line.substr(5, colon - 5), line.substr(colon + 2), {}});
    } else if (cases.empty() || !parse_event(line, cases.back())) {
      return wrong;
    }
  }
  return cases;
}

}  // namespace synod::history
