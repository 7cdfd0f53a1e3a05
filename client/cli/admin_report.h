// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>

#include "SynodAdmin.h"

namespace synod::client {

// What a node says of itself, for people or as one line of JSON.
void print_report(const api::admin::NodeReport& report, bool json, std::ostream& out);
void print_members(const api::admin::GroupReport& group, bool json, std::ostream& out);

/// Whether a node can serve now, in a sentence.
struct Health {
  bool is_ready = false;
  std::string text;
};
[[nodiscard]] Health health_of(const api::admin::NodeReport& report);

}  // namespace synod::client
