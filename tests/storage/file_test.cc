// SPDX-License-Identifier: Apache-2.0
#include "storage/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/random.h"

namespace synod::storage {
namespace {

using base::StatusCode;

class PosixFiles : public testing::Test {
 protected:
  PosixFiles() {
    std::string pattern = testing::TempDir() + "/synod-file-XXXXXX";
    SYNOD_ASSERT(::mkdtemp(pattern.data()) != nullptr, "the test needs a directory");
    directory_ = pattern;
  }
  ~PosixFiles() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::string directory_;
};

TEST_F(PosixFiles, ReadsBackWhatWasWrittenAtAnyOffset) {
  auto file = files_->open(path("a"), OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write_at(10'000, "hello").ok());
  ASSERT_TRUE((*file)->sync().ok());
  EXPECT_EQ((*file)->size().value(), 10'005U);
  char out[16];
  EXPECT_EQ((*file)->read_at(10'000, out, sizeof(out)).value(), 5U);
  EXPECT_EQ(std::string(out, 5), "hello");
  EXPECT_EQ((*file)->read_at(20'000, out, sizeof(out)).value(), 0U);
  ASSERT_TRUE((*file)->truncate(3).ok());
  EXPECT_EQ((*file)->size().value(), 3U);
}

TEST_F(PosixFiles, UncachedReadsHideAlignment) {
  std::string contents(3'000'001, '\0');
  for (std::size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<char>(i * 7 / 3);
  ASSERT_TRUE(replace_file(*files_, directory_, "big", contents).ok());
  const auto file = files_->open(path("big"), OpenMode::kReadUncached);
  ASSERT_TRUE(file.ok());
  for (const std::uint64_t offset : {0U, 1U, 4095U, 4096U, 1'048'575U, 2'999'990U, 3'000'001U}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{1'500'000}}) {
      std::string out(size, 'x');
      const auto got = (*file)->read_at(offset, out.data(), size);
      ASSERT_TRUE(got.ok());
      out.resize(*got);
      EXPECT_EQ(out, contents.substr(offset, size)) << offset << " " << size;
    }
  }
}

/// Blocks past the page cache, odd bytes through it, reads between them.
TEST_F(PosixFiles, UncachedWritesAreSeenByEveryRead) {
  constexpr std::size_t kBlock = 4096;
  constexpr std::size_t kBlocks = 32;
  const std::unique_ptr<char, decltype(&std::free)> aligned(
      static_cast<char*>(std::aligned_alloc(kBlock, kBlocks * kBlock)), &std::free);
  auto file = files_->open(path("log"), OpenMode::kCreateUncached);
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  std::string model(kBlocks * kBlock, '\0');
  ASSERT_TRUE((*file)->write_at(0, model).ok());
  base::Random random(7);
  for (int round = 0; round < 400; ++round) {
    const bool is_whole = random.below(2) == 0;
    const std::size_t unit = is_whole ? kBlock : 1;
    const std::size_t units = model.size() / unit;
    const std::size_t begin = random.below(units);
    const std::size_t size = (1 + random.below(std::min<std::size_t>(units - begin, 8))) * unit;
    std::memset(aligned.get(), static_cast<int>(random.below(256)), size);
    ASSERT_TRUE((*file)->write_at(begin * unit, {aligned.get(), size}).ok());
    model.replace(begin * unit, size, aligned.get(), size);
    if (random.below(8) == 0) {
      ASSERT_TRUE((*file)->sync().ok());
    }
    std::string seen(model.size(), 'x');
    ASSERT_EQ((*file)->read_at(0, seen.data(), seen.size()).value(), seen.size());
    ASSERT_EQ(seen, model) << round;
  }
  ASSERT_TRUE((*file)->sync().ok());
  const auto again = files_->open(path("log"), OpenMode::kReadUncached);
  ASSERT_TRUE(again.ok());
  std::string seen(model.size(), 'x');
  ASSERT_EQ((*again)->read_at(0, seen.data(), seen.size()).value(), seen.size());
  EXPECT_EQ(seen, model);
}

TEST_F(PosixFiles, TellsMissingFromExisting) {
  EXPECT_EQ(files_->open(path("no"), OpenMode::kRead).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(files_->open(path("no"), OpenMode::kReadUncached).status().code(),
            StatusCode::kNotFound);
  ASSERT_TRUE(files_->open(path("yes"), OpenMode::kCreate).ok());
  for (const OpenMode mode : {OpenMode::kCreate, OpenMode::kCreateUncached}) {
    EXPECT_EQ(files_->open(path("yes"), mode).status().code(), StatusCode::kAlreadyExists);
  }
  EXPECT_TRUE(files_->open(path("yes"), OpenMode::kCreateOrOpen).ok());
  EXPECT_EQ(files_->remove(path("no")).code(), StatusCode::kNotFound);
}

TEST_F(PosixFiles, KeepsFilesAndDirectoriesToTheOwner) {
  ASSERT_TRUE(files_->create_directories(path("x/y")).ok());
  ASSERT_TRUE(files_->open(path("x/y/f"), OpenMode::kCreate).ok());
  struct stat info {};
  ASSERT_EQ(::stat(path("x/y/f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(path("x/y").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(PosixFiles, DoesNotWriteThroughASymbolicLink) {
  ASSERT_TRUE(files_->open(path("target"), OpenMode::kCreate).ok());
  ASSERT_EQ(::symlink(path("target").c_str(), path("link").c_str()), 0);
  EXPECT_FALSE(files_->open(path("link"), OpenMode::kReadWrite).ok());
  EXPECT_FALSE(files_->open(path("link"), OpenMode::kCreateOrOpen).ok());
  EXPECT_FALSE(files_->lock(path("link")).ok());
}

TEST_F(PosixFiles, LockExcludesASecondHolder) {
  auto first = files_->lock(path("LOCK"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(files_->lock(path("LOCK")).status().code(), StatusCode::kBusy);
  first->reset();
  EXPECT_TRUE(files_->lock(path("LOCK")).ok());
}

TEST_F(PosixFiles, ListsNamesInOrder) {
  for (const char* name : {"c", "a", "b"}) {
    ASSERT_TRUE(files_->open(path(name), OpenMode::kCreate).ok());
  }
  EXPECT_EQ(files_->list(directory_).value(), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(files_->rename(path("c"), path("0")).ok());
  ASSERT_TRUE(files_->sync_directory(directory_).ok());
  EXPECT_EQ(files_->list(directory_).value(), (std::vector<std::string>{"0", "a", "b"}));
  EXPECT_FALSE(files_->list(path("none")).ok());
}

TEST_F(PosixFiles, ReplaceFileLeavesOnlyTheNewContents) {
  ASSERT_TRUE(replace_file(*files_, directory_, "f", "a much longer first version").ok());
  ASSERT_TRUE(replace_file(*files_, directory_, "f", "second").ok());
  EXPECT_EQ(read_file(*files_, path("f")).value(), "second");
  EXPECT_FALSE(files_->exists(path("f.new")));
  EXPECT_EQ(read_file(*files_, path("f"), 3).status().code(), StatusCode::kLimitExceeded);
}

TEST_F(PosixFiles, ReportsSpace) {
  const auto space = files_->space(directory_);
  ASSERT_TRUE(space.ok());
  EXPECT_GT(space->total_bytes, 0U);
  EXPECT_LE(space->free_bytes, space->total_bytes);
}

}  // namespace
}  // namespace synod::storage
