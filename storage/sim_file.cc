// SPDX-License-Identifier: Apache-2.0
#include "storage/sim_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace synod::storage {

using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

/// A file or a directory. A directory change is a list of names that get a node, or lose theirs,
/// together.
struct SimFileSystem::Node {
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  using Change = std::vector<std::pair<std::string, std::shared_ptr<Node>>>;

  bool directory = false;
  Entries entries;
  Entries durable_entries;
  std::vector<Change> changes;  ///< Since the last sync_directory.

  base::Bytes cached;
  base::Bytes durable;
  std::map<std::uint64_t, std::uint64_t> dirty;  ///< Sector to the order of its last write.
  std::set<std::uint64_t> stale;  ///< Clean in the cache, but not what the medium holds (S2).

  static void apply(Entries& entries, const Change& change) {
    for (const auto& [name, node] : change) {
      if (node == nullptr) {
        entries.erase(name);
      } else {
        entries[name] = node;
      }
    }
  }
  void change(Change change) {
    apply(entries, change);
    changes.push_back(std::move(change));
  }
  void make_durable(std::uint64_t sector) {
    const std::uint64_t begin = sector * kSectorBytes;
    if (begin >= cached.size()) return;
    const std::uint64_t size = std::min<std::uint64_t>(kSectorBytes, cached.size() - begin);
    if (durable.size() < begin + size) durable.resize(begin + size);
    durable.replace(begin, size, cached, begin, size);
  }
};

class SimFile final : public File {
 public:
  SimFile(SimFileSystem& disk, std::shared_ptr<SimFileSystem::Node> node, std::string path,
          bool uncached)
      : disk_(disk),
        node_(std::move(node)),
        path_(std::move(path)),
        uncached_(uncached),
        generation_(disk.generation_) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    const std::lock_guard lock(disk_.mutex_);
    SYNOD_RETURN_IF_ERROR(check("read"));
    SYNOD_RETURN_IF_ERROR(disk_.check_readable(path_, offset, offset + size));
    const base::Bytes& cached = node_->cached;
    if (offset >= cached.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(size, cached.size() - offset);
    std::memcpy(out, cached.data() + offset, count);
    if (uncached_) show_medium(offset, out, count);
    return count;
  }
  Status write_at(std::uint64_t offset, BytesView bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    SYNOD_RETURN_IF_ERROR(check_alive());
    return disk_.write(*node_, path_, offset, bytes);
  }
  Status sync() override {
    const std::lock_guard lock(disk_.mutex_);
    SYNOD_RETURN_IF_ERROR(check_alive());
    return disk_.sync(*node_, path_);
  }
  Status truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    SYNOD_RETURN_IF_ERROR(check_alive());
    return disk_.truncate(*node_, path_, size);
  }
  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(disk_.mutex_);
    SYNOD_RETURN_IF_ERROR(check("size"));
    return std::uint64_t{node_->cached.size()};
  }
  bool reads_medium() const override { return uncached_; }

 private:
  Status check_alive() const {
    if (generation_ == disk_.generation_) return Status();
    return Status(StatusCode::kIoError, base::concat(path_, ": the process that opened it died"));
  }
  Status check(const char* action) const {
    SYNOD_RETURN_IF_ERROR(check_alive());
    return disk_.begin_io(action, path_);
  }
  void show_medium(std::uint64_t offset, char* out, std::size_t count) const {
    const auto begin = node_->stale.lower_bound(offset / kSectorBytes);
    for (auto sector = begin; sector != node_->stale.end(); ++sector) {
      const std::uint64_t from = std::max(offset, *sector * kSectorBytes);
      const std::uint64_t to = std::min(offset + count, (*sector + 1) * kSectorBytes);
      for (std::uint64_t at = from; at < to; ++at) {
        out[at - offset] = at < node_->durable.size() ? node_->durable[at] : '\0';
      }
    }
  }

  SimFileSystem& disk_;
  std::shared_ptr<SimFileSystem::Node> node_;
  std::string path_;
  bool uncached_;
  std::uint64_t generation_;
};

class SimLock final : public FileLock {
 public:
  SimLock(SimFileSystem& disk, std::string path)
      : disk_(disk), path_(std::move(path)), generation_(disk.generation_) {}
  ~SimLock() override {
    const std::lock_guard lock(disk_.mutex_);
    if (generation_ == disk_.generation_) disk_.locks_.erase(path_);
  }

 private:
  SimFileSystem& disk_;
  std::string path_;
  std::uint64_t generation_;
};

SimFileSystem::SimFileSystem(base::Random random)
    : random_(random), root_(std::make_shared<Node>()) {
  root_->directory = true;
}

SimFileSystem::~SimFileSystem() = default;

void SimFileSystem::set_fail_at(std::uint64_t io_number, FaultRepeat repeat, StatusCode code) {
  const std::lock_guard lock(mutex_);
  fail_at_ = io_number;
  fail_repeat_ = repeat;
  fail_code_ = code;
}

void SimFileSystem::clear_faults() {
  const std::lock_guard lock(mutex_);
  fail_at_ = 0;
  unreadable_.clear();
}

std::uint64_t SimFileSystem::io_count() const {
  const std::lock_guard lock(mutex_);
  return io_count_;
}

void SimFileSystem::set_trace(
    base::Function<void(std::uint64_t, const char*, const std::string&)> trace) {
  const std::lock_guard lock(mutex_);
  trace_ = std::move(trace);
}

void SimFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimFileSystem::corrupt(const std::string& path, std::uint64_t offset, char mask) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Node> node = find(path);
  SYNOD_ASSERT(node != nullptr && offset < node->cached.size(), "nothing there to corrupt");
  node->cached[offset] = static_cast<char>(node->cached[offset] ^ mask);
  if (offset < node->durable.size()) {
    node->durable[offset] = static_cast<char>(node->durable[offset] ^ mask);
  }
}

void SimFileSystem::set_unreadable(const std::string& path, std::uint64_t begin,
                                   std::uint64_t end) {
  const std::lock_guard lock(mutex_);
  unreadable_.push_back({path, begin, end});
}

void SimFileSystem::crash(CrashPolicy policy) {
  const std::lock_guard lock(mutex_);
  crash_node(*root_, policy);
  used_ = used_bytes(*root_);
  dead_ = true;
}

void SimFileSystem::kill() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
}

void SimFileSystem::restart() {
  const std::lock_guard lock(mutex_);
  dead_ = false;
  ++generation_;
  fail_at_ = 0;
  locks_.clear();
  unreadable_.clear();
}

Status SimFileSystem::begin_io(const char* action, const std::string& path) const {
  ++io_count_;
  if (trace_) trace_(io_count_, action, path);
  if (dead_) return Status(StatusCode::kIoError, base::concat(path, ": the process is dead"));
  const bool fails =
      fail_at_ != 0 &&
      (io_count_ == fail_at_ || (fail_repeat_ == FaultRepeat::kForEver && io_count_ > fail_at_));
  if (!fails) return Status();
  return Status(fail_code_, base::concat(action, " ", path, ": simulated failure"));
}

std::shared_ptr<SimFileSystem::Node> SimFileSystem::find(const std::string& path) const {
  std::shared_ptr<Node> node = root_;
  std::size_t begin = 0;
  while (node != nullptr && begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    const auto found = node->entries.find(name);
    node = found == node->entries.end() ? nullptr : found->second;
  }
  return node;
}

void SimFileSystem::crash_node(Node& node, CrashPolicy policy) {
  if (!node.directory) {
    crash_contents(node, policy);
    return;
  }
  crash_directory(node, policy);
  for (auto& [name, child] : node.entries) crash_node(*child, policy);
}

void SimFileSystem::crash_directory(Node& node, CrashPolicy policy) {
  std::size_t kept = 0;
  if (policy == CrashPolicy::kTorn) kept = random_.below(node.changes.size() + 1);
  for (std::size_t i = 0; i < node.changes.size(); ++i) {
    const bool keep = policy == CrashPolicy::kReordered ? random_.chance(0.5) : i < kept;
    if (keep) Node::apply(node.durable_entries, node.changes[i]);
  }
  node.changes.clear();
  node.entries = node.durable_entries;
}

void SimFileSystem::crash_contents(Node& node, CrashPolicy policy) {
  std::uint64_t first_kept = 0;
  if (policy == CrashPolicy::kReordered && !node.dirty.empty()) {
    std::vector<std::uint64_t> orders;
    for (const auto& [sector, order] : node.dirty) orders.push_back(order);
    first_kept = orders[random_.below(orders.size())];
  }
  for (const auto& [sector, order] : node.dirty) {
    const bool keep = policy == CrashPolicy::kTorn        ? random_.chance(0.5)
                      : policy == CrashPolicy::kReordered ? order >= first_kept
                                                          : false;
    if (keep) node.make_durable(sector);
  }
  node.dirty.clear();
  node.stale.clear();
  node.cached = node.durable;
}

std::uint64_t SimFileSystem::used_bytes(const Node& node) const {
  std::uint64_t total = node.cached.size();
  for (const auto& [name, child] : node.entries) total += used_bytes(*child);
  return total;
}

Status SimFileSystem::check_readable(const std::string& path, std::uint64_t begin,
                                     std::uint64_t end) const {
  for (const UnreadableRange& range : unreadable_) {
    if (range.path == path && begin < range.end && range.begin < end) {
      return Status(StatusCode::kIoError, base::concat("read ", path, ": unreadable sector"));
    }
  }
  return Status();
}

void SimFileSystem::store(Node& node, std::uint64_t offset, BytesView bytes) {
  if (bytes.empty()) return;
  if (node.cached.size() < offset + bytes.size()) {
    used_ += offset + bytes.size() - node.cached.size();
    node.cached.resize(offset + bytes.size());
  }
  node.cached.replace(offset, bytes.size(), bytes);
  // Each sector has an order of its own, so that a long write can be torn in reverse as well.
  for (std::uint64_t sector = offset / kSectorBytes;
       sector <= (offset + bytes.size() - 1) / kSectorBytes; ++sector) {
    node.dirty[sector] = ++write_order_;
    node.stale.erase(sector);
  }
}

Status SimFileSystem::write(Node& node, const std::string& path, std::uint64_t offset,
                            BytesView bytes) {
  if (Status status = begin_io("write", path); !status.ok()) {
    if (!dead_ && !bytes.empty()) {
      const std::uint64_t kept = random_.below(bytes.size()) / kSectorBytes * kSectorBytes;
      if (fail_code_ == StatusCode::kIoError) store(node, offset, bytes.substr(0, kept));
    }
    return status;
  }
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t growth = end > node.cached.size() ? end - node.cached.size() : 0;
  if (growth > 0 && (used_ > capacity_ || growth > capacity_ - used_)) {
    return Status(StatusCode::kNoSpace, base::concat("write ", path, ": the disk is full"));
  }
  store(node, offset, bytes);
  return Status();
}

Status SimFileSystem::sync(Node& node, const std::string& path) {
  const Status status = begin_io("sync", path);
  if (dead_) return status;
  for (const auto& [sector, order] : node.dirty) {
    if (status.ok() || random_.chance(0.5)) {
      node.make_durable(sector);
    } else {
      node.stale.insert(sector);
    }
  }
  node.dirty.clear();
  if (status.ok()) node.durable.resize(node.cached.size());
  return status;
}

Status SimFileSystem::truncate(Node& node, const std::string& path, std::uint64_t size) {
  SYNOD_RETURN_IF_ERROR(begin_io("truncate", path));
  used_ = used_ - node.cached.size() + size;
  node.cached.resize(size);
  const std::uint64_t sectors = (size + kSectorBytes - 1) / kSectorBytes;
  node.dirty.erase(node.dirty.lower_bound(sectors), node.dirty.end());
  node.stale.erase(node.stale.lower_bound(sectors), node.stale.end());
  if (size % kSectorBytes != 0) node.dirty[size / kSectorBytes] = ++write_order_;
  return Status();
}

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("open", path));
  std::shared_ptr<Node> node = find(path);
  const bool must_be_new = mode == OpenMode::kCreate || mode == OpenMode::kCreateUncached;
  const bool creates = must_be_new || mode == OpenMode::kCreateOrOpen;
  if (node != nullptr && must_be_new) {
    return Status(StatusCode::kAlreadyExists, base::concat("open ", path, ": it exists"));
  }
  if (node != nullptr && node->directory) {
    return Status(StatusCode::kIoError, base::concat("open ", path, ": it is a directory"));
  }
  if (node == nullptr) {
    const auto [directory, name] = split(path);
    const std::shared_ptr<Node> parent = find(directory);
    if (!creates || parent == nullptr || !parent->directory) {
      return Status(StatusCode::kNotFound, base::concat("open ", path, ": not found"));
    }
    node = std::make_shared<Node>();
    parent->change({{name, node}});
  }
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(*this, node, path, mode == OpenMode::kReadUncached));
}

bool SimFileSystem::exists(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return !dead_ && find(path) != nullptr;
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& directory) const {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("list", directory));
  const std::shared_ptr<Node> node = find(directory);
  if (node == nullptr || !node->directory) {
    return Status(StatusCode::kNotFound, base::concat("list ", directory, ": not found"));
  }
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

Status SimFileSystem::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("create directory", path));
  for (std::size_t end = 0; end < path.size(); ++end) {
    end = std::min(path.find('/', end), path.size());
    const std::string prefix = path.substr(0, end);
    if (const auto node = find(prefix); node != nullptr) {
      if (node->directory) continue;
      return Status(StatusCode::kIoError, base::concat(prefix, " is not a directory"));
    }
    const auto [directory, name] = split(prefix);
    auto created = std::make_shared<Node>();
    created->directory = true;
    const std::shared_ptr<Node> parent = find(directory);
    parent->entries[name] = created;
    parent->durable_entries[name] = created;
  }
  return Status();
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("rename", from));
  const std::shared_ptr<Node> node = find(from);
  const auto [from_directory, from_name] = split(from);
  const auto [to_directory, to_name] = split(to);
  const std::shared_ptr<Node> source = find(from_directory);
  const std::shared_ptr<Node> target = find(to_directory);
  if (node == nullptr || target == nullptr || !target->directory) {
    return Status(StatusCode::kNotFound, base::concat("rename ", from, ": not found"));
  }
  if (const auto replaced = find(to); replaced != nullptr && replaced != node) {
    used_ -= replaced->cached.size();
  }
  if (source == target) {
    source->change({{from_name, nullptr}, {to_name, node}});
  } else {
    source->change({{from_name, nullptr}});
    target->change({{to_name, node}});
  }
  return Status();
}

Status SimFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("remove", path));
  const std::shared_ptr<Node> node = find(path);
  if (node == nullptr) {
    return Status(StatusCode::kNotFound, base::concat("remove ", path, ": not found"));
  }
  if (node->directory && !node->entries.empty()) {
    return Status(StatusCode::kIoError, base::concat("remove ", path, ": not empty"));
  }
  const auto [directory, name] = split(path);
  find(directory)->change({{name, nullptr}});
  used_ -= node->cached.size();
  return Status();
}

Status SimFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("sync directory", path));
  const std::shared_ptr<Node> node = find(path);
  if (node == nullptr || !node->directory) {
    return Status(StatusCode::kNotFound, base::concat("sync directory ", path, ": not found"));
  }
  node->durable_entries = node->entries;
  node->changes.clear();
  return Status();
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("lock", path));
  if (locks_.contains(path)) {
    return Status(StatusCode::kBusy, base::concat(path, " is locked by another process"));
  }
  if (find(path) == nullptr) {
    const auto [directory, name] = split(path);
    const std::shared_ptr<Node> parent = find(directory);
    if (parent == nullptr) return Status(StatusCode::kNotFound, base::concat(path, ": not found"));
    parent->change({{name, std::make_shared<Node>()}});
  }
  locks_.insert(path);
  return std::unique_ptr<FileLock>(std::make_unique<SimLock>(*this, path));
}

Result<FileSystem::Space> SimFileSystem::space(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  SYNOD_RETURN_IF_ERROR(begin_io("space", path));
  return Space{used_ < capacity_ ? capacity_ - used_ : 0, capacity_};
}

}  // namespace synod::storage
