// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <absl/functional/any_invocable.h>

namespace synod::base {

/// A move-only callable: completions and tasks own what they capture and run once.
template <class Signature>
using Function = absl::AnyInvocable<Signature>;

}  // namespace synod::base
