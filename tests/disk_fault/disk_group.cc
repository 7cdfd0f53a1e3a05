// SPDX-License-Identifier: Apache-2.0
#include "tests/disk_fault/disk_group.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>

#include "base/text.h"

namespace synod::disk_fault {
namespace {

using base::Status;
using base::StatusCode;
using SteadyClock = std::chrono::steady_clock;

constexpr int kPollMs = 20;
constexpr int kWriteSeconds = 60;
constexpr Seconds kEqualLimit(60);
/// As waitpid tells it: the exit code of a data directory that is not taken, 3.
constexpr const char* kRefusedStatus = "wait status 768";

group::GroupOptions options_of(const std::filesystem::path& directory,
                               const std::vector<std::string>& settings) {
  group::GroupOptions options;
  options.directory = directory;
  options.settings = {"database.log_segment_bytes=1048576", "limits.commit_bytes_max=524288",
                      "limits.value_bytes_max=262144", "consensus.snapshot_every_slots=1000",
                      "consensus.keep_slots=200"};
  options.settings.insert(options.settings.end(), settings.begin(), settings.end());
  return options;
}

}  // namespace

int rounds_of(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  const int number = text != nullptr ? std::atoi(text) : 0;
  return number > 0 ? number : otherwise;
}

WorkDirectory::WorkDirectory(const std::string& name) : path_(suite::fresh_directory(name)) {}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (!testing::Test::HasFailure()) std::filesystem::remove_all(path_, ignored);
}

DiskGroup::DiskGroup(const std::filesystem::path& directory,
                     const std::vector<std::string>& settings)
    : nodes_(options_of(directory, settings)) {}

Status DiskGroup::begin(std::uint64_t transactions) {
  SYNOD_RETURN_IF_ERROR(nodes_.start());
  return write_some(transactions, kNodes);
}

void DiskGroup::write_around(std::size_t except) {
  std::vector<client::Endpoint> endpoints;
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (node != except) endpoints.push_back(nodes_.endpoint(node));
  }
  ledger_.start(endpoints);
}

Status DiskGroup::write_some(std::uint64_t count, std::size_t except) {
  write_around(except);
  const bool is_done = ledger_.wait_for(count, kWriteSeconds);
  ledger_.stop();
  if (is_done) return {};
  const auto failures = ledger_.take_failures();
  return {StatusCode::kTimeout,
          base::concat("the group does not serve: ", failures.empty() ? "" : failures.back())};
}

DiskGroup::Started DiskGroup::start(std::size_t node) {
  const std::size_t before = log_size(node);
  Started started;
  Status status = nodes_.launch(node);
  if (status.ok()) status = nodes_.wait_for_port(node);
  started.serves = status.ok();
  started.is_refused = status.to_string().find(kRefusedStatus) != std::string::npos;
  started.said = log_since(node, before) + (status.ok() ? "" : status.to_string());
  return started;
}

Status DiskGroup::start_and_catch_up(std::size_t node) {
  const Started started = start(node);
  if (!started.serves) return {StatusCode::kClosed, started.said};
  return wait_for_all_equal(kEqualLimit);
}

Status DiskGroup::wait_for_all_equal(Seconds limit) {
  const auto end = SteadyClock::now() + limit;
  suite::Finished finished;
  std::size_t node = 0;
  do {
    finished = nodes_.ctl(node++ % kNodes, {"verify"});
    bool is_whole = finished.code == 0;
    for (std::size_t each = 1; each <= kNodes; ++each) {
      const std::size_t line = finished.output.rfind(base::concat("node ", each, ": "));
      is_whole = is_whole && line != std::string::npos;
    }
    is_whole = is_whole && finished.output.find("did not answer") == std::string::npos;
    if (is_whole) return {};
    ::poll(nullptr, 0, kPollMs);
  } while (SteadyClock::now() < end);
  return {StatusCode::kInternal,
          base::concat("verify ended with ", finished.code, ": ", finished.output)};
}

Status DiskGroup::settle(bool everything) {
  ledger_.stop();
  SYNOD_RETURN_IF_ERROR(wait_for_all_equal(kEqualLimit));
  SYNOD_ASSIGN_OR_RETURN(auto client, client::Client::connect(nodes_.endpoints()));
  return ledger_.check(client, everything);
}

Status DiskGroup::read_at(std::size_t node, const std::string& level) {
  client::ClientOptions options;
  options.read_level = level;
  SYNOD_ASSIGN_OR_RETURN(auto client, client::Client::connect({nodes_.endpoint(node)}, options));
  SYNOD_ASSIGN_OR_RETURN(const auto value, client.get("time-to-write"));
  if (value == "x") return {};
  return {StatusCode::kCorruption, "a key that was written is not there"};
}

Status DiskGroup::replace_disk(std::size_t node) {
  nodes_.kill(node);
  std::filesystem::remove_all(nodes_.data_of(node));
  const Started started = start(node);
  if (!started.serves) return {StatusCode::kClosed, started.said};
  return let_in(node);
}

Status DiskGroup::let_in(std::size_t node) {
  const auto end = SteadyClock::now() + kEqualLimit;
  const std::string number = std::to_string(node + 1);
  suite::Finished finished;
  do {
    const auto leader = nodes_.leader(node);
    if (leader) finished = nodes_.ctl(*leader, {"member", "replace", number, number});
    if (finished.code == 0) return {};
    ::poll(nullptr, 0, kPollMs);
  } while (SteadyClock::now() < end);
  return {StatusCode::kTimeout,
          base::concat("member replace ended with ", finished.code, ": ", finished.output)};
}

base::Result<std::size_t> DiskGroup::wait_for_leader(std::optional<std::size_t> except,
                                                     Seconds limit) {
  const auto end = SteadyClock::now() + limit;
  do {
    const auto leader = nodes_.leader(except);
    if (leader && leader != except) return *leader;
    ::poll(nullptr, 0, kPollMs);
  } while (SteadyClock::now() < end);
  return Status(StatusCode::kTimeout, "nobody leads");
}

bool DiskGroup::wait_for_log(std::size_t node, std::size_t from, const std::string& text,
                             Seconds limit) {
  const auto end = SteadyClock::now() + limit;
  do {
    if (log_since(node, from).find(text) != std::string::npos) return true;
    ::poll(nullptr, 0, kPollMs);
  } while (SteadyClock::now() < end);
  return false;
}

}  // namespace synod::disk_fault
