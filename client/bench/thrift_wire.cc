// SPDX-License-Identifier: Apache-2.0
#include "client/bench/bench_wire.h"

// The binary protocol by hand, as far as four methods' worth of it goes: generated code allocates
// for every message, and the load generator shares the machine with the server.
//
//   frame    length:be32 message
//   message  0x8001:be16 type:be16 name:string sequence:be32 struct
//   struct   (type:u8 id:be16 value)* 0:u8          string  length:be32 bytes
//   list     type:u8 count:be32 value*              map     key:u8 value:u8 count:be32 (key value)*

namespace synod::client {
namespace {

enum Type : std::uint8_t {
  kStop = 0,
  kBool = 2,
  kByte = 3,
  kDouble = 4,
  kI16 = 6,
  kI32 = 8,
  kI64 = 10,
  kString = 11,
  kStruct = 12,
  kMap = 13,
  kSet = 14,
  kList = 15,
};

constexpr std::size_t kLengthBytes = 4;
constexpr std::uint32_t kReplyBytesMax = 128U << 20U;
constexpr std::uint32_t kCallWord = 0x8001'0001;
constexpr std::uint32_t kReplyWord = 0x8001'0002;
constexpr std::uint32_t kExceptionWord = 0x8001'0003;
constexpr int kDepthMax = 16;

void put_field(base::Bytes& out, Type type, std::uint16_t id) {
  const char bytes[3] = {static_cast<char>(type), static_cast<char>(id >> 8U),
                         static_cast<char>(id)};
  out.append(bytes, sizeof bytes);
}

void put_string(base::Bytes& out, base::BytesView text) {
  base::append_be32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

void put_key(base::Bytes& out, std::uint16_t id, std::uint64_t key) {
  put_field(out, kString, id);
  base::append_be32(out, kKeyBytes);
  append_bench_key(out, key);
}

void put_value(base::Bytes& out, std::uint16_t id, ValueSizes sizes, std::uint64_t key,
               std::uint64_t tag) {
  put_field(out, kString, id);
  base::append_be32(out, value_size_of(sizes, key, tag));
  append_bench_value(out, sizes, key, tag);
}

/// Takes values off a message. After the first thing that does not fit, everything reads as zero
/// and broken() says so.
class Cursor {
 public:
  explicit Cursor(base::BytesView in) : in_(in) {}
  [[nodiscard]] bool broken() const { return broken_; }

  base::BytesView bytes(std::size_t size) {
    if (size > in_.size()) {
      broken_ = true;
      in_ = {};
      return {};
    }
    const base::BytesView taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  std::uint8_t u8() {
    const auto taken = bytes(1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
  }
  std::uint16_t u16() {
    const auto taken = bytes(2);
    return taken.empty() ? std::uint16_t{0} : base::load_be16(taken.data());
  }
  std::uint32_t u32() {
    const auto taken = bytes(4);
    return taken.empty() ? 0 : base::load_be32(taken.data());
  }
  base::BytesView string() { return bytes(u32()); }

  void skip(std::uint8_t type, int depth = 0) {
    if (depth > kDepthMax) broken_ = true;
    if (broken_) return;
    switch (type) {
      case kBool:
      case kByte:
        bytes(1);
        return;
      case kI16:
        bytes(2);
        return;
      case kI32:
        bytes(4);
        return;
      case kDouble:
      case kI64:
        bytes(8);
        return;
      case kString:
        string();
        return;
      case kStruct:
        while (const std::uint8_t field = u8()) {
          u16();
          skip(field, depth + 1);
        }
        return;
      case kSet:
      case kList:
        skip_elements(u8(), 0, depth);
        return;
      case kMap: {
        const std::uint8_t key = u8();
        skip_elements(key, u8(), depth);
        return;
      }
      default:
        broken_ = true;
    }
  }

 private:
  void skip_elements(std::uint8_t first, std::uint8_t second, int depth) {
    for (std::uint32_t left = u32(); left > 0 && !broken_; --left) {
      skip(first, depth + 1);
      if (second != 0) skip(second, depth + 1);
    }
  }

  base::BytesView in_;
  bool broken_ = false;
};

base::BytesView method_of(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::kRead:
      return "get";
    case Request::Kind::kWrite:
      return "setKey";
    case Request::Kind::kLoad:
      return "atomicCommit";
  }
  return {};
}

/// What the replies of all three methods have: one of `value` and `found` or `success`, and the
/// two fields of an error, whose numbers differ.
struct Fields {
  base::BytesView value;
  base::BytesView error_code;
  bool yes = false;  ///< `found` or `success`.
  bool has_error = false;
};

Fields take_fields(Cursor& cursor, bool is_read) {
  const std::uint16_t yes_id = is_read ? 2 : 1;
  Fields fields;
  while (const std::uint8_t type = cursor.u8()) {
    const std::uint16_t id = cursor.u16();
    if (type == kBool && id == yes_id) {
      fields.yes = cursor.u8() != 0;
    } else if (type == kString && is_read && id == 1) {
      fields.value = cursor.string();
    } else if (type == kString && id == yes_id + 1) {
      cursor.string();
      fields.has_error = true;
    } else if (type == kString && id == yes_id + 2) {
      fields.error_code = cursor.string();
      fields.has_error = true;
    } else {
      cursor.skip(type);
    }
  }
  return fields;
}

class ThriftWire final : public BenchWire {
 public:
  using BenchWire::BenchWire;

  void append(base::Bytes& out, const Request& request) const override {
    const std::size_t begin = out.size();
    base::append_be32(out, 0);
    base::append_be32(out, kCallWord);
    put_string(out, method_of(request.kind));
    base::append_be32(out, 0);
    put_field(out, kStruct, 1);
    if (request.kind == Request::Kind::kLoad) {
      put_commit(out, request);
    } else {
      put_key(out, 1, request.key);
      if (request.kind == Request::Kind::kWrite) {
        put_value(out, 2, value_sizes(), request.key, request.tag);
      }
    }
    out.append(2, '\0');  // The end of the request and that of the call's arguments.
    base::store_be32(out.data() + begin,
                     static_cast<std::uint32_t>(out.size() - begin - kLengthBytes));
  }

  std::size_t parse(base::BytesView in, Request::Kind kind, Answer& answer) const override {
    if (in.size() < kLengthBytes) return 0;
    const std::size_t size = base::load_be32(in.data());
    if (size > kReplyBytesMax) return kBroken;
    if (in.size() < kLengthBytes + size) return 0;
    Cursor cursor(in.substr(kLengthBytes, size));
    const std::uint32_t word = cursor.u32();
    const bool is_method = cursor.string() == method_of(kind);
    cursor.u32();
    if (word == kExceptionWord) {
      answer = {Answer::Outcome::kRefused, "EXCEPTION"};
      return cursor.broken() ? kBroken : kLengthBytes + size;
    }
    if (word != kReplyWord || !is_method || cursor.u8() != kStruct || cursor.u16() != 0) {
      return kBroken;
    }
    const Fields fields = take_fields(cursor, kind == Request::Kind::kRead);
    if (cursor.broken()) return kBroken;
    answer = to_answer(fields, kind);
    return kLengthBytes + size;
  }

 private:
  void put_commit(base::Bytes& out, const Request& request) const {
    put_field(out, kI64, 1);  // The read version, of no meaning where nothing was read.
    base::append_be64(out, 0);
    put_field(out, kList, 2);
    out += static_cast<char>(kStruct);
    base::append_be32(out, request.count);
    for (std::uint64_t i = 0; i < request.count; ++i) {
      put_field(out, kString, 1);
      put_string(out, "set");
      put_key(out, 2, request.key + i);
      put_value(out, 3, value_sizes(), request.key + i, request.tag);
      out += static_cast<char>(kStop);
    }
    put_field(out, kList, 3);  // The keys that were read: none.
    out += static_cast<char>(kString);
    base::append_be32(out, 0);
  }

  static Answer to_answer(const Fields& fields, Request::Kind kind) {
    if (kind == Request::Kind::kRead && !fields.has_error) {
      if (!fields.yes) return {Answer::Outcome::kMissing, {}};
      return {Answer::Outcome::kFound, fields.value};
    }
    if (fields.yes && !fields.has_error) return {};
    return {Answer::Outcome::kRefused,
            fields.error_code.empty() ? base::BytesView("UNNAMED") : fields.error_code};
  }
};

}  // namespace

std::unique_ptr<BenchWire> make_thrift_wire(ValueSizes value_sizes) {
  return std::make_unique<ThriftWire>(value_sizes);
}

}  // namespace synod::client
