// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace synod::base {

/// Reads the Prometheus text format 0.0.4 and believes nothing: what a lenient scraper would
/// forgive is a complaint here.
class ExpositionParser {
 public:
  explicit ExpositionParser(const std::string& text) {
    if (text.empty() || text.back() != '\n') complaint = "the last line does not end";
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line) && complaint.empty();) {
      take(line);
      if (!complaint.empty()) complaint += ": " + line;
    }
    if (complaint.empty()) close_family();
  }

  /// Of exactly this series, as written.
  [[nodiscard]] std::optional<double> value(const std::string& series) const {
    const auto found = samples.find(series);
    return found == samples.end() ? std::nullopt : std::optional(found->second);
  }

  std::string complaint;  ///< Empty: all is well.
  std::map<std::string, double> samples;
  std::map<std::string, std::string> types;

 private:
  void take(const std::string& line) {
    static const std::regex help("# HELP ([a-z_][a-z0-9_]*) ((?:[^\\\\]|\\\\[\\\\n])+)");
    static const std::regex type("# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)");
    static const std::regex sample(
        "([a-z_][a-z0-9_]*)"
        "(\\{((?:[a-z_][a-z0-9_]*=\"(?:[^\"\\\\]|\\\\[\\\\n\"])*\",?)+)\\})?"
        " ([-+0-9.eEaInNf]+)");
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      close_family();
      family_ = match[1];
      if (!seen_.insert(family_).second) complaint = "a family twice";
    } else if (std::regex_match(line, match, type)) {
      if (match[1] != family_ || types.contains(family_)) complaint = "a type out of place";
      types[family_] = match[2];
    } else if (std::regex_match(line, match, sample)) {
      take_sample(match);
    } else {
      complaint = "a line of no kind";
    }
  }

  void take_sample(const std::smatch& match) {
    const std::string name = match[1];
    const std::string labels = match[3];
    if (!types.contains(family_)) {
      complaint = "a sample without a type";
      return;
    }
    const std::string& type = types[family_];
    const std::string suffix = name.starts_with(family_) ? name.substr(family_.size()) : "?";
    const bool fits = type == "histogram"
                          ? suffix == "_bucket" || suffix == "_sum" || suffix == "_count"
                          : suffix.empty();
    if (!fits) complaint = "a sample of another family";
    if (type == "counter" && !name.ends_with("_total")) complaint = "a counter is no _total";
    if (labels.ends_with(",")) complaint = "a comma too many";
    const double value = number(match[4]);
    if (type != "gauge" && !(value >= 0)) complaint = "a count below zero";
    if (!samples.emplace(name + match[2].str(), value).second) complaint = "a series twice";
    if (suffix == "_bucket") take_bucket(labels, value);
    if (suffix == "_count") counts_[labels] = value;
    if (suffix == "_sum") sums_.insert(labels);
  }

  void take_bucket(const std::string& labels, double value) {
    const auto at = labels.rfind("le=\"");
    if (at == std::string::npos) {
      complaint = "a bucket without a bound";
      return;
    }
    std::string rest = labels.substr(0, at);
    if (!rest.empty()) rest.pop_back();
    const double bound = number(labels.substr(at + 4, labels.size() - at - 5));
    auto& last = buckets_.try_emplace(rest, -1.0, 0.0).first->second;
    if (bound <= last.first) complaint = "bounds do not ascend";
    if (value < last.second) complaint = "buckets are not cumulative";
    last = {bound, value};
  }

  void close_family() {
    for (const auto& [labels, last] : buckets_) {
      if (!std::isinf(last.first)) complaint = family_ + " ends before +Inf";
      if (counts_[labels] != last.second) complaint = family_ + ": count is not the last bucket";
      if (!sums_.contains(labels)) complaint = family_ + " has no sum";
    }
    buckets_.clear();
    counts_.clear();
    sums_.clear();
  }

  double number(const std::string& text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    if (text == "-Inf") return -std::numeric_limits<double>::infinity();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    std::size_t used = 0;
    try {
      const double value = std::stod(text, &used);
      if (used == text.size()) return value;
    } catch (const std::exception&) {
      used = 0;
    }
    complaint = "no number";
    return 0;
  }

  std::string family_;
  std::set<std::string> seen_;
  std::map<std::string, std::pair<double, double>> buckets_;
  std::map<std::string, double> counts_;
  std::set<std::string> sums_;
};

}  // namespace synod::base
