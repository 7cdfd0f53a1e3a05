// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace synod::server {

/// "80 01ff" -> the bytes.
inline std::string from_hex(std::string_view hex) {
  std::string out;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return out;
}

/// A call and its reply in strict binary, sequence id 1, as existing clients write and read them.
struct Golden {
  const char* name;
  const char* call;
  const char* reply;
};

inline const std::vector<Golden>& golden_messages() {
  static const std::vector<Golden> all = {
      {"getReadVersion at 42",
       "80010001 0000000e 67657452656164566572 73696f6e 00000001 0c0001 00 00",
       "80010002 0000000e 67657452656164566572 73696f6e 00000001 0c0000 0a0001 "
       "000000000000002a 020002 01 00 00"},
      {"get of a missing key", "80010001 00000003 676574 00000001 0c0001 0b0001 00000001 6b 00 00",
       "80010002 00000003 676574 00000001 0c0000 0b0001 00000000 020002 00 00 00"},
      {"getRange, everything unset", "80010001 00000008 67657452616e6765 00000001 0c0001 00 00",
       "80010002 00000008 67657452616e6765 00000001 0c0000 0f0001 0c 00000000 020002 01 "
       "020004 00 00 00"},
      {"getRange with defaults",
       "80010001 00000008 67657452616e6765 00000001 0c0001 080003 00000000 020004 01 080005 "
       "00000000 020006 00 080007 000003e8 00 00",
       "80010002 00000008 67657452616e6765 00000001 0c0000 0f0001 0c 00000000 020002 01 "
       "020004 00 00 00"},
  };
  return all;
}

}  // namespace synod::server
