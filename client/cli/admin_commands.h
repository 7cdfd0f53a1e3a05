// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <memory>
#include <string>

#include "client/cli/exit_codes.h"

namespace synod::client {

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

 private:
  struct Wire;
  explicit AdminClient(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace synod::client
