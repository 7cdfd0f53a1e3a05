// SPDX-License-Identifier: Apache-2.0
#include "client/cli/txn_script.h"

#include <array>
#include <charconv>

#include "base/text.h"
#include "client/cli/text_format.h"

namespace synod::client {
namespace {

using Kind = ScriptStep::Kind;
using Words = std::vector<base::Bytes>;

base::Status bad(std::string message) {
  return {base::StatusCode::kInvalidArgument, std::move(message)};
}

/// Reads one word at text[position], which is no blank, and moves position past it.
base::Result<base::Bytes> read_word(std::string_view text, std::size_t& position) {
  base::Bytes word;
  const bool quoted = text[position] == '"';
  if (quoted) ++position;
  while (position < text.size()) {
    const char c = text[position];
    if (quoted ? c == '"' : (c == ' ' || c == '\t')) break;
    if (c == '\\') {
      SYNOD_ASSIGN_OR_RETURN(const char meant, parse_escape(text, position));
      word += meant;
    } else {
      word += c;
      ++position;
    }
  }
  if (!quoted) return word;
  if (position == text.size()) return bad("a quote is not closed");
  ++position;
  if (position < text.size() && text[position] != ' ' && text[position] != '\t') {
    return bad("a blank is missing after a closing quote");
  }
  return word;
}

base::Result<Words> split(std::string_view line) {
  Words words;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == ' ' || line[i] == '\t' || line[i] == '\r') {
      ++i;
    } else if (line[i] == '#') {
      break;
    } else {
      SYNOD_ASSIGN_OR_RETURN(base::Bytes word, read_word(line, i));
      words.push_back(std::move(word));
    }
  }
  return words;
}

base::Result<std::int64_t> read_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size()) {
    return bad(base::concat("\"", base::escape(text), "\" is no 64-bit number"));
  }
  return number;
}

struct StepForm {
  std::string_view word;
  Kind kind;
  std::size_t arguments;
  std::string_view usage;
};

constexpr std::array kForms{
    StepForm{"check", Kind::kCheck, 2, "check KEY VERSION"},
    StepForm{"read", Kind::kRead, 1, "read KEY"},
    StepForm{"set", Kind::kSet, 2, "set KEY VALUE [ttl=MILLISECONDS]"},
    StepForm{"delete", Kind::kDelete, 1, "delete KEY"},
    StepForm{"incr", Kind::kIncrement, 2, "incr KEY NUMBER"},
    StepForm{"append", Kind::kAppend, 2, "append KEY VALUE"},
    StepForm{"clear", Kind::kClear, 2, "clear BEGIN END"},
};

/// The optional third argument of `set`.
base::Result<std::int64_t> read_ttl(std::string_view word) {
  constexpr std::string_view kPrefix = "ttl=";
  if (!word.starts_with(kPrefix)) return bad("after KEY VALUE only ttl=MILLISECONDS may follow");
  SYNOD_ASSIGN_OR_RETURN(const std::int64_t ttl, read_number(word.substr(kPrefix.size())));
  if (ttl <= 0) return bad("a ttl must be positive");
  return ttl;
}

base::Result<ScriptStep> make_step(const StepForm& form, const Words& words) {
  ScriptStep step;
  step.kind = form.kind;
  const bool has_ttl = form.kind == Kind::kSet && words.size() == form.arguments + 2;
  if (words.size() != form.arguments + 1 && !has_ttl) {
    return bad(base::concat("expected: ", std::string(form.usage)));
  }
  step.key = words[1];
  if (form.kind == Kind::kCheck || form.kind == Kind::kIncrement) {
    SYNOD_ASSIGN_OR_RETURN(step.number, read_number(words[2]));
  } else if (form.kind == Kind::kClear) {
    step.end = words[2];
  } else if (form.arguments == 2) {
    step.value = words[2];
  }
  if (has_ttl) {
    SYNOD_ASSIGN_OR_RETURN(step.ttl_ms, read_ttl(words[3]));
  }
  return step;
}

base::Result<ScriptStep> read_step(const Words& words) {
  for (const StepForm& form : kForms) {
    if (words[0] == form.word) return make_step(form, words);
  }
  return bad(base::concat("unknown step \"", base::escape(words[0]),
                          "\"; known: check read set delete incr append clear"));
}

}  // namespace

base::Result<std::vector<ScriptStep>> parse_txn_script(std::string_view text) {
  std::vector<ScriptStep> steps;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = split(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = base::concat("line ", line_number, ": ");
    if (!words.ok()) return words.status().with_context(where);
    if (words->empty()) continue;
    auto step = read_step(*words);
    if (!step.ok()) return step.status().with_context(where);
    step->line = line_number;
    steps.push_back(std::move(step).value());
  }
  return steps;
}

}  // namespace synod::client
