// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace synod::server {

/// `synod-server tool log-dump|verify DATA_DIR`: looks at a stopped server's files without changing
/// them. Returns the exit code: 0 fine, 2 usage, 3 cannot be read, 5 damage was found.
[[nodiscard]] int run_tool(const std::vector<std::string>& arguments);

}  // namespace synod::server
