// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>

#include "core/state/rows.h"

namespace synod::core {

/// A RowSink that keeps what a backend would hold.
class RecordedRows final : public RowSink {
 public:
  void put_row(base::BytesView key, base::BytesView value) override {
    rows_[base::Bytes(key)] = value;
  }
  void erase_row(base::BytesView key) override { rows_.erase(base::Bytes(key)); }
  [[nodiscard]] const std::map<base::Bytes, base::Bytes>& rows() const { return rows_; }

 private:
  std::map<base::Bytes, base::Bytes> rows_;
};

}  // namespace synod::core
