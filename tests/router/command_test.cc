// SPDX-License-Identifier: Apache-2.0
#include "router/command.h"

#include <gtest/gtest.h>

namespace synod::router {
namespace {

TEST(Command, ReadsWhatItWrote) {
  const CommandId id{RouterProcess(0x0102030405060708ULL), 77};
  const base::Bytes bytes = encode_command(id, CommandKind::kOperation, "payload");
  const auto view = decode_command(bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->id, id);
  EXPECT_EQ(view->kind, CommandKind::kOperation);
  EXPECT_EQ(view->payload, "payload");
  const base::Bytes mark = encode_command(id, CommandKind::kHashMark, {});
  ASSERT_TRUE(decode_command(mark).ok());
  EXPECT_EQ(decode_command(mark)->kind, CommandKind::kHashMark);
}

TEST(Command, RefusesEveryShorterPrefixOfItsHead) {
  const base::Bytes mark = encode_command({RouterProcess(1), 2}, CommandKind::kHashMark, {});
  for (std::size_t size = 0; size < mark.size(); ++size) {
    EXPECT_EQ(decode_command(mark.substr(0, size)).status().code(), base::StatusCode::kCorruption)
        << size;
  }
}

TEST(Command, RefusesWhatItCannotHaveWritten) {
  base::Bytes mark = encode_command({RouterProcess(1), 2}, CommandKind::kHashMark, {});
  EXPECT_EQ(decode_command(mark + "x").status().code(), base::StatusCode::kCorruption);
  for (int kind : {0, 3, 255}) {
    mark[1] = static_cast<char>(kind);
    EXPECT_EQ(decode_command(mark).status().code(), base::StatusCode::kCorruption) << kind;
  }
  mark[0] = 2;
  EXPECT_EQ(decode_command(mark).status().code(), base::StatusCode::kUnsupported);
}

TEST(Command, ComesBackWithNumberAndStamp) {
  base::Bytes bytes = encode_command({RouterProcess(9), 0}, CommandKind::kOperation, "payload");
  number_command(bytes, 42);
  stamp_command(bytes, core::TimeMs(1'234));
  const auto command = decode_command(bytes);
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->id, (CommandId{RouterProcess(9), 42}));
  EXPECT_EQ(command->kind, CommandKind::kOperation);
  EXPECT_EQ(command->stamp, core::TimeMs(1'234));
  EXPECT_EQ(command->payload, "payload");
}

}  // namespace
}  // namespace synod::router
