// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace synod::sim {

inline constexpr std::size_t kKeys = 8;
inline constexpr std::size_t kClients = 16;

/// What a client asks for: once, however often it is sent.
struct Command {
  enum class Kind : std::uint8_t { kSet, kAdd, kAppend };
  std::uint32_t client = 0;
  std::uint32_t sequence = 0;  ///< With `client` the token.
  std::uint32_t attempt = 0;   ///< Tells the sendings of one token apart.
  Kind kind = Kind::kSet;
  std::uint8_t key = 0;
  std::uint64_t argument = 0;
};
[[nodiscard]] base::Bytes encode_command(const Command& command, std::size_t filler);
[[nodiscard]] std::optional<Command> decode_command(base::BytesView bytes);

/// The smallest state that shows a lost, repeated or misplaced command: a few values that are set,
/// added to and appended to (a list is its hash), and the newest token of each client with its
/// result.
class RegisterState {
 public:
  struct Effect {
    bool is_new = false;    ///< False: the token was seen before; nothing changed.
    bool is_known = false;  ///< `result` is that of this token.
    std::uint64_t result = 0;
  };
  Effect execute(const Command& command);

  [[nodiscard]] std::uint64_t value(std::size_t key) const { return values_[key]; }
  /// A hash of everything, kept up while it changes.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  /// Computed anew.
  [[nodiscard]] std::uint64_t full_digest() const;

  [[nodiscard]] base::Bytes encode_values() const;
  [[nodiscard]] base::Bytes encode_tokens() const;
  /// False if they do not fit.
  [[nodiscard]] bool decode(base::BytesView values, base::BytesView tokens);

 private:
  struct Token {
    std::uint32_t sequence = 0;
    std::uint64_t result = 0;
  };
  std::array<std::uint64_t, kKeys> values_{};
  std::array<Token, kClients> tokens_{};
  std::uint64_t digest_ = 0;
};

[[nodiscard]] std::uint64_t mix(std::uint64_t a, std::uint64_t b);

}  // namespace synod::sim
