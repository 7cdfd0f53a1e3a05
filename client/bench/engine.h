// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/status.h"
#include "client/bench/workload.h"

namespace synod::client {

struct Operation {
  base::Bytes key;
  std::optional<base::Bytes> value;  ///< Absent: a read.
};

struct Reply {
  bool is_refused = false;
  std::optional<base::Bytes> value;  ///< Of a read that found something.
};

/// The closed loop of one connection: says what is asked next and takes the answer.
class Caller {
 public:
  virtual ~Caller() = default;
  /// nullopt: this connection has done its part.
  virtual std::optional<Operation> next() = 0;
  virtual void on_reply(const Reply& reply) = 0;
  /// The connection is of no use any more; nothing is called after it.
  virtual void on_lost(const base::Status& why) = 0;
};

/// All connections of one run, whatever the store speaks: one thread, one operation under way on
/// each connection, so that the load takes little from the servers beside it.
///
/// Threads: externally synchronized.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Writes the keys, with the values of tag 0, before the run.
  virtual base::Status load(const Workload& workload) = 0;
  /// Caller i works on connection i. Returns when all have done their part or are lost.
  virtual void run(std::span<Caller* const> callers) = 0;
};

/// Opens the connections of a workload; endpoints are taken in turn. kClosed: nobody answers.
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_engine(const Workload& workload);
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_thrift_engine(const Workload& workload);
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_etcd_engine(const Workload& workload);

/// Calls `load_part(i, first, end)` for each of `parts` parts of the keys, each on a thread of its
/// own: stores that take one write at a time are not slower to fill than they have to be.
using LoadPart =
    std::function<base::Status(std::size_t part, std::uint64_t first, std::uint64_t end)>;
[[nodiscard]] base::Status load_in_parts(const Workload& workload, const LoadPart& load_part);

}  // namespace synod::client
