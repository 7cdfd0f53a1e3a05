// SPDX-License-Identifier: Apache-2.0
#include "storage/row_history.h"

namespace synod::storage {

std::shared_ptr<const RowHistory::Layer> RowHistory::take() {
  auto layer = std::make_shared<Layer>();
  if (const auto before = newest_.lock()) before->next = layer;
  newest_ = layer;
  return layer;
}

void RowHistory::changing(const base::Bytes& key, const Rows& rows) {
  const auto layer = newest_.lock();
  if (layer == nullptr || layer->before.contains(key)) return;
  const auto row = rows.find(key);
  layer->before.emplace(key, row == rows.end() ? std::nullopt : std::optional(row->second));
}

std::optional<base::Bytes> RowHistory::find(const Layer& layer, const Rows& rows,
                                            base::BytesView key) {
  for (const Layer* at = &layer; at != nullptr; at = at->next.get()) {
    const auto found = at->before.find(key);
    if (found != at->before.end()) return found->second;
  }
  const auto row = rows.find(key);
  return row == rows.end() ? std::nullopt : std::optional(row->second);
}

}  // namespace synod::storage
