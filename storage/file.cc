// SPDX-License-Identifier: Apache-2.0
#include "storage/file.h"

#include "base/text.h"

namespace synod::storage {

using base::Bytes;
using base::Result;
using base::Status;
using base::StatusCode;

Result<Bytes> read_file(FileSystem& files, const std::string& path, std::uint64_t bytes_max) {
  SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  SYNOD_ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
  if (size > bytes_max) {
    return Status(StatusCode::kLimitExceeded,
                  base::concat(path, " has ", size, " bytes, at most ", bytes_max, " are read"));
  }
  Bytes contents(size, '\0');
  SYNOD_ASSIGN_OR_RETURN(const std::size_t read, file->read_at(0, contents.data(), size));
  contents.resize(read);
  return contents;
}

Status replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                    base::BytesView contents) {
  const std::string target = directory + "/" + name;
  const std::string fresh = target + ".new";
  {
    SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                           files.open(fresh, OpenMode::kCreateOrOpen));
    SYNOD_RETURN_IF_ERROR(file->truncate(0));
    SYNOD_RETURN_IF_ERROR(file->write_at(0, contents));
    SYNOD_RETURN_IF_ERROR(file->sync());
  }
  SYNOD_RETURN_IF_ERROR(files.rename(fresh, target));
  return files.sync_directory(directory);
}

Status remove_tree(FileSystem& files, const std::string& path) {
  if (!files.exists(path)) return Status();
  // What cannot be listed is a file.
  if (const auto names = files.list(path); names.ok()) {
    for (const std::string& name : *names) {
      SYNOD_RETURN_IF_ERROR(remove_tree(files, base::concat(path, "/", name)));
    }
  }
  return files.remove(path);
}

}  // namespace synod::storage
