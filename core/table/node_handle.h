// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/strong_id.h"

namespace synod::core {

struct KeyNode;

/// A KeyNode in four bytes: its distance from the beginning of its heap's NodeRange, in steps of
/// kBytes. 0: none; at the beginning there is never a node.
using NodeHandle = base::StrongId<struct NodeHandleTag, std::uint32_t>;

/// What turns the handles of one heap into pointers and back: a shift and an addition.
class NodeBase {
 public:
  static constexpr std::size_t kBytes = 8;  ///< Between two handles; what a slot is aligned to.
  static constexpr std::size_t kSpan = kBytes << 32;

  explicit NodeBase(std::byte* begin) : begin_(begin) {}

  /// REQUIRES: `handle` is not 0.
  [[nodiscard]] KeyNode* node(NodeHandle handle) const {
    return reinterpret_cast<KeyNode*>(begin_ + std::size_t{handle.value()} * kBytes);
  }
  /// REQUIRES: the node lies in this range.
  [[nodiscard]] NodeHandle handle(const KeyNode* node) const {
    const std::size_t distance =
        reinterpret_cast<std::uintptr_t>(node) - reinterpret_cast<std::uintptr_t>(begin_);
    SYNOD_ASSERT(distance != 0 && distance < kSpan, "an index takes nodes of its own heap");
    return NodeHandle(static_cast<std::uint32_t>(distance / kBytes));
  }

 private:
  std::byte* begin_;
};

}  // namespace synod::core
