// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace synod::history {

/// What a correct store holds: a map, and what the steps of an operation do to it.
class ReplayState {
 public:
  /// One operation's own writes on top of the state.
  class View {
   public:
    explicit View(const ReplayState& state) : state_(state) {}

    [[nodiscard]] std::optional<base::Bytes> get(const base::Bytes& key) const;
    [[nodiscard]] std::vector<Row> range(const MicroOp& op) const;
    void write(const MicroOp& op);
    [[nodiscard]] const std::map<base::Bytes, std::optional<base::Bytes>>& writes() const {
      return writes_;
    }

   private:
    const ReplayState& state_;
    std::map<base::Bytes, std::optional<base::Bytes>> writes_;
  };

  void apply(const View& view);

 private:
  std::map<base::Bytes, base::Bytes> rows_;
};

}  // namespace synod::history
