// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "client/cli/exit_codes.h"
#include "client/cli/text_format.h"
#include "client/cpp/client.h"

namespace synod::client {

/// What every data command needs.
struct DataContext {
  Client& client;
  std::string ns;
  ByteFormat format = ByteFormat::kEscaped;
  std::ostream& out;
  std::ostream& err;
};

struct RangeArguments {
  std::string begin;
  std::string end;
  std::string prefix;  ///< Instead of begin and end.
  std::uint32_t limit = 1000;
  bool keys_only = false;
};

// One function for each data command of synodctl: prints to out and err, returns the exit code.
// Texts of keys and values are in the context's format.
[[nodiscard]] ExitCode run_get(DataContext& context, const std::string& key, bool fail_if_missing);
[[nodiscard]] ExitCode run_put(DataContext& context, const std::string& key,
                               const std::string& value, std::int64_t ttl_ms);
[[nodiscard]] ExitCode run_delete(DataContext& context, const std::string& key);
[[nodiscard]] ExitCode run_range(DataContext& context, const RangeArguments& arguments);
/// `script` is the text of a script as parse_txn_script() reads it.
[[nodiscard]] ExitCode run_txn(DataContext& context, const std::string& script);

/// One row as run_range() prints it, without the newline.
[[nodiscard]] std::string format_row(const Row& row, ByteFormat format, bool keys_only);

/// Prints "synodctl: ..." and returns the code for it.
ExitCode fail(std::ostream& err, const base::Status& status);

}  // namespace synod::client
