// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <tuple>

#include "client/cpp/transaction.h"
#include "client/cpp/wire.h"
#include "client/cpp/write_overlay.h"

namespace synod::client {

/// What a Transaction gathers until its commit. Internal to client/cpp.
struct Transaction::State {
  State(Wire& the_wire, std::int64_t version) : wire(the_wire) {
    request.__set_read_version(version);
  }

  Wire& wire;
  api::AtomicCommitRequest request;
  WriteOverlay overlay;
  std::set<WriteOverlay::Key> keys_read;
  std::set<std::tuple<std::string, base::Bytes, base::Bytes>> ranges_read;
  bool sent = false;
};

}  // namespace synod::client
