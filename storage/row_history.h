// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/bytes.h"

namespace synod::storage {

/// What the rows of a map in memory were before they changed, for the snapshots taken of it: each
/// write costs as much as it changes, however large the map is.
///
/// A snapshot is a layer. A layer keeps what changed between its snapshot and the next one, and
/// keeps the next layer alive, so that the rows of a snapshot are found by following the layers to
/// the newest and then asking the map.
///
/// Threads: as its owner, who holds its lock for `take`, `changing` and `find`; a layer may end on
/// any thread.
class RowHistory {
 public:
  using Rows = std::map<base::Bytes, base::Bytes, std::less<>>;
  struct Layer {
    std::map<base::Bytes, std::optional<base::Bytes>, std::less<>> before;
    std::shared_ptr<const Layer> next;
  };

  /// The layer of a snapshot taken now.
  [[nodiscard]] std::shared_ptr<const Layer> take();
  /// The row of `key` is about to change.
  void changing(const base::Bytes& key, const Rows& rows);
  /// The row as it was when `layer` was taken.
  [[nodiscard]] static std::optional<base::Bytes> find(const Layer& layer, const Rows& rows,
                                                       base::BytesView key);

 private:
  std::weak_ptr<Layer> newest_;  ///< Gone: nobody wants to know.
};

}  // namespace synod::storage
