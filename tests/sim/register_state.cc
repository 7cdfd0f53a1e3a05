// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/register_state.h"

namespace synod::sim {
namespace {

constexpr std::size_t kCommandBytes = 22;
constexpr std::size_t kTokenBytes = 12;

std::uint64_t value_hash(std::size_t key, std::uint64_t value) { return mix(key + 1, value); }
std::uint64_t token_hash(std::size_t client, std::uint64_t sequence, std::uint64_t result) {
  return mix(mix(client + 1000, sequence), result);
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t hash = (a ^ (b + 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL;
  hash ^= hash >> 32U;
  hash *= 0xD6E8FEB86659FD93ULL;
  return hash ^ hash >> 29U;
}

base::Bytes encode_command(const Command& command, std::size_t filler) {
  base::Bytes out;
  out.reserve(kCommandBytes + filler);
  base::append_le32(out, command.client);
  base::append_le32(out, command.sequence);
  base::append_le32(out, command.attempt);
  out += static_cast<char>(command.kind);
  out += static_cast<char>(command.key);
  base::append_le64(out, command.argument);
  out.append(filler, static_cast<char>(command.sequence));
  return out;
}

std::optional<Command> decode_command(base::BytesView bytes) {
  if (bytes.size() < kCommandBytes) return std::nullopt;
  Command command;
  command.client = base::load_le32(bytes.data());
  command.sequence = base::load_le32(bytes.data() + 4);
  command.attempt = base::load_le32(bytes.data() + 8);
  command.kind = static_cast<Command::Kind>(bytes[12]);
  command.key = static_cast<std::uint8_t>(bytes[13]);
  command.argument = base::load_le64(bytes.data() + 14);
  if (command.client >= kClients || command.key >= kKeys) return std::nullopt;
  return command;
}

RegisterState::Effect RegisterState::execute(const Command& command) {
  Token& token = tokens_[command.client];
  if (command.sequence <= token.sequence) {
    return Effect{false, command.sequence == token.sequence, token.result};
  }
  std::uint64_t& value = values_[command.key];
  digest_ -= value_hash(command.key, value);
  digest_ -= token_hash(command.client, token.sequence, token.result);
  switch (command.kind) {
    case Command::Kind::kSet:
      value = command.argument;
      break;
    case Command::Kind::kAdd:
      value += command.argument;
      break;
    case Command::Kind::kAppend:
      value = mix(value, command.argument);
      break;
  }
  token = Token{command.sequence, value};
  digest_ += value_hash(command.key, value);
  digest_ += token_hash(command.client, token.sequence, token.result);
  return Effect{true, true, value};
}

std::uint64_t RegisterState::full_digest() const {
  std::uint64_t digest = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    digest += value_hash(key, values_[key]) - value_hash(key, 0);
  }
  for (std::size_t client = 0; client < kClients; ++client) {
    const Token& token = tokens_[client];
    digest += token_hash(client, token.sequence, token.result) - token_hash(client, 0, 0);
  }
  return digest;
}

base::Bytes RegisterState::encode_values() const {
  base::Bytes out;
  for (const std::uint64_t value : values_) base::append_le64(out, value);
  return out;
}

base::Bytes RegisterState::encode_tokens() const {
  base::Bytes out;
  for (const Token& token : tokens_) {
    base::append_le32(out, token.sequence);
    base::append_le64(out, token.result);
  }
  return out;
}

bool RegisterState::decode(base::BytesView values, base::BytesView tokens) {
  if (values.size() != kKeys * 8 || tokens.size() < kClients * kTokenBytes) return false;
  for (std::size_t key = 0; key < kKeys; ++key) {
    values_[key] = base::load_le64(values.data() + key * 8);
  }
  for (std::size_t client = 0; client < kClients; ++client) {
    const char* at = tokens.data() + client * kTokenBytes;
    tokens_[client] = Token{base::load_le32(at), base::load_le64(at + 4)};
  }
  digest_ = full_digest();
  return true;
}

}  // namespace synod::sim
