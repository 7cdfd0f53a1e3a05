// SPDX-License-Identifier: Apache-2.0
#include "base/exposition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace synod::base {
namespace {

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && (name[0] < '0' || name[0] > '9') && std::ranges::all_of(name, fits);
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  SYNOD_ASSERT(false, "a MetricType outside its enumeration");
}

/// EX2. Helps keep their quotes, label values escape them.
void append_escaped(std::string& out, std::string_view text, bool is_label) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (is_label && c == '"')) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string format_sample(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  // As other exporters write them, so that bounds look the same everywhere.
  const double size = std::abs(value);
  const auto format = value == 0 || (size >= 1e-4 && size < 1e15) ? std::chars_format::fixed
                                                                  : std::chars_format::scientific;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format).ptr;
  return {text.data(), end};
}

void Exposition::family(std::string_view name, MetricType type, std::string_view help) {
  SYNOD_ASSERT(is_name(name), "a metric's name is lower-case letters, digits and underscores");
  name_.clear();
  if (!name.starts_with("process_")) name_ += prefix_;
  name_ += name;
  SYNOD_ASSERT(written_.insert(name_).second, "EX1: a family is written once");
  out_.append("# HELP ").append(name_).append(" ");
  append_escaped(out_, help, false);
  out_.append("\n# TYPE ").append(name_).append(" ").append(type_name(type)).append("\n");
}

void Exposition::head(std::span<const Label> labels, std::string_view suffix) {
  SYNOD_ASSERT(!name_.empty(), "EX1: a family begins before its samples");
  out_.append(name_).append(suffix);
  char separator = '{';
  for (const auto& [name, value] : labels) {
    SYNOD_ASSERT(is_name(name), "a label's name is lower-case letters, digits and underscores");
    out_ += separator;
    out_.append(name).append("=\"");
    append_escaped(out_, value, true);
    out_ += '"';
    separator = ',';
  }
  if (!labels.empty()) out_ += '}';
  out_ += ' ';
}

void Exposition::sample(std::span<const Label> labels, std::uint64_t value,
                        std::string_view suffix) {
  head(labels, suffix);
  out_.append(std::to_string(value)).append("\n");
}

void Exposition::sample(std::span<const Label> labels, double value, std::string_view suffix) {
  head(labels, suffix);
  out_.append(format_sample(value)).append("\n");
}

void Exposition::gauge(std::string_view name, std::string_view help, double value) {
  family(name, MetricType::kGauge, help);
  sample({}, value);
}

void Exposition::counter(std::string_view name, std::string_view help, double value) {
  family(name, MetricType::kCounter, help);
  sample({}, value);
}

}  // namespace synod::base
