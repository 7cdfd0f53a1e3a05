// SPDX-License-Identifier: Apache-2.0
#include "tests/history/json.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace synod::history {
namespace {

constexpr int kDepthMax = 8;
constexpr std::string_view kHexDigits = "0123456789abcdef";

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<Json> whole() {
    SYNOD_ASSIGN_OR_RETURN(Json made, value(0));
    skip_space();
    if (at_ != text_.size()) return wrong("text after the value");
    return made;
  }

 private:
  base::Status wrong(std::string_view what) const {
    return {base::StatusCode::kInvalidArgument, base::concat("column ", at_ + 1, ": ", what)};
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char wanted) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  base::Result<Json> value(int depth) {
    if (depth > kDepthMax) return wrong("nested too deeply");
    skip_space();
    if (at_ >= text_.size()) return wrong("a value is missing");
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"': {
        SYNOD_ASSIGN_OR_RETURN(std::string made, string());
        return Json{std::move(made)};
      }
      default:
        return scalar();
    }
  }

  base::Result<Json> scalar() {
    if (take_word("null")) return Json{};
    if (take_word("true")) return Json{true};
    if (take_word("false")) return Json{false};
    std::int64_t number = 0;
    const auto* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc()) return wrong("neither null, true, false, number, string nor list");
    at_ += static_cast<std::size_t>(end - begin);
    return Json{number};
  }

  base::Result<Json> array(int depth) {
    Json::Array made;
    take('[');
    if (take(']')) return Json{std::move(made)};
    do {
      SYNOD_ASSIGN_OR_RETURN(Json element, value(depth + 1));
      made.push_back(std::move(element));
    } while (take(','));
    if (!take(']')) return wrong("expected , or ]");
    return Json{std::move(made)};
  }

  base::Result<Json> object(int depth) {
    Json::Object made;
    take('{');
    if (take('}')) return Json{std::move(made)};
    do {
      skip_space();
      SYNOD_ASSIGN_OR_RETURN(std::string name, string());
      for (const auto& [other, ignored] : made) {
        if (other == name) return wrong("a name twice in one object");
      }
      if (!take(':')) return wrong("expected :");
      SYNOD_ASSIGN_OR_RETURN(Json element, value(depth + 1));
      made.emplace_back(std::move(name), std::move(element));
    } while (take(','));
    if (!take('}')) return wrong("expected , or }");
    return Json{std::move(made)};
  }

  base::Result<std::string> string() {
    if (at_ >= text_.size() || text_[at_] != '"') return wrong("expected a string");
    ++at_;
    std::string made;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return made;
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
        return wrong("a byte that must be escaped");
      }
      if (c != '\\') {
        made.push_back(c);
        continue;
      }
      const auto escaped = escape();
      if (!escaped.has_value()) return wrong("an escape outside the subset");
      made.push_back(*escaped);
    }
    return wrong("a string does not end");
  }

  std::optional<char> escape() {
    if (at_ >= text_.size()) return std::nullopt;
    const char c = text_[at_++];
    if (c == '"' || c == '\\') return c;
    if (c == 'n') return '\n';
    if (c != 'u' || text_.size() - at_ < 4) return std::nullopt;
    unsigned code = 0;
    const auto* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
    if (error != std::errc() || end != begin + 4 || code > 0xff) return std::nullopt;
    at_ += 4;
    return static_cast<char>(code);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<Json> parse_json(std::string_view text) { return Parser(text).whole(); }

void append_json_string(std::string& out, std::string_view bytes) {
  out.push_back('"');
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\u00";
      out.push_back(kHexDigits[byte >> 4]);
      out.push_back(kHexDigits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace synod::history
