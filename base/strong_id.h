// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace synod::base {

/// An integer of one meaning: two ids of different tags never mix, and none converts back
/// silently. `Tag` is an incomplete struct that only names the type.
template <class Tag, class Rep>
class StrongId {
 public:
  using Value = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  [[nodiscard]] constexpr StrongId next() const { return StrongId(static_cast<Rep>(value_ + 1)); }
  constexpr auto operator<=>(const StrongId&) const = default;

 private:
  Rep value_{};
};

}  // namespace synod::base

template <class Tag, class Rep>
struct std::hash<synod::base::StrongId<Tag, Rep>> {
  std::size_t operator()(synod::base::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
