// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

#include "client/cli/exit_codes.h"

namespace synod::client {

enum class MemberVerb : std::uint8_t { kAdd, kRemove, kReplace };

/// The connection to one node's admin socket.
class AdminClient {
 public:
  /// kClosed if nobody listens on `socket_path`.
  static base::Result<AdminClient> connect(const std::string& socket_path);
  AdminClient(AdminClient&&) noexcept;
  AdminClient& operator=(AdminClient&&) noexcept;
  ~AdminClient();

  // One function for each admin command of synodctl: prints, returns the exit code.
  [[nodiscard]] ExitCode status(bool json, std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode verify(bool deep, std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode compact(std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode backup(const std::string& name, std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode flush(std::ostream& out, std::ostream& err);
  /// kExitNotReady unless the node can serve now: its group has a leader and it is caught up.
  [[nodiscard]] ExitCode health(std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode members(bool json, std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode snapshot(std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode transfer_leader(std::int32_t to, std::ostream& out, std::ostream& err);
  [[nodiscard]] ExitCode change_member(MemberVerb verb, std::int32_t node, std::int32_t by,
                                       std::ostream& out, std::ostream& err);

 private:
  struct Wire;
  explicit AdminClient(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace synod::client
