// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "server/config/config.h"
#include "server/config/config_builder.h"
#include "server/config/cpu_quota.h"
#include "server/config/group_plan.h"
#include "server/config/memory_plan.h"

namespace synod::server {

using base::concat;

namespace {

bool is_loopback_four(const in_addr& address) { return (ntohl(address.s_addr) >> 24) == 127; }

}  // namespace

bool is_address(const std::string& text) {
  in_addr four{};
  in6_addr six{};
  return text == "localhost" || inet_pton(AF_INET, text.c_str(), &four) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &six) == 1;
}

bool is_loopback(const std::string& address) {
  if (address == "localhost") return true;
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return is_loopback_four(four);
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&six)) return six.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&six);
}

std::uint32_t worker_count(const Config& config) {
  return config.server.workers != 0 ? config.server.workers : default_workers(usable_processors());
}

std::uint32_t default_workers(std::uint32_t processors) { return std::max(processors, 2U) - 1; }

std::vector<std::string> broken_rules(const Config& config) {
  std::vector<std::string> broken = broken_group_rules(config);
  const auto require = [&broken](bool holds, std::string rule) {
    if (!holds) broken.push_back(std::move(rule));
  };
  const auto& server = config.server;
  const auto& limits = config.limits;
  const auto& database = config.database;
  require(is_address(server.bind), concat("server.bind: \"", base::escape(server.bind),
                                          "\" is no IPv4 or IPv6 address and not localhost"));
  require(!is_address(server.bind) || is_loopback(server.bind) || server.insecure_plaintext,
          concat("server.bind: ", server.bind,
                 " is reachable from other machines and this server neither encrypts nor "
                 "authenticates; if that is meant, set server.insecure_plaintext = true "
                 "(--insecure-plaintext)"));
  require(is_address(config.admin.http_bind),
          concat("admin.http_bind: \"", base::escape(config.admin.http_bind),
                 "\" is no IPv4 or IPv6 address and not localhost"));
  require(config.admin.http_port == 0 || !is_address(config.admin.http_bind) ||
              is_loopback(config.admin.http_bind) || server.insecure_plaintext,
          concat("admin.http_bind: ", config.admin.http_bind,
                 " is reachable from other machines; if that is meant, set "
                 "server.insecure_plaintext = true (--insecure-plaintext)"));
  require(!server.data_dir.empty(), "server.data_dir: must not be empty");
  const MemoryPlan plan = plan_memory(config);
  require(database.memory_limit == 0 || plan.table_bytes >= kTableBytesMin,
          concat("database.memory_limit: leaves ", base::format_bytes(plan.table_bytes),
                 " to the tables of each replica in this process; it must leave ",
                 base::format_bytes(kTableBytesMin),
                 ". database.write_buffer_bytes and database.block_cache_bytes are part of it"));
  const auto require_size = [&](std::uint64_t given, std::uint64_t least, const char* name) {
    require(given == 0 || given >= least,
            concat(name, ": must be 0 or at least ", base::format_bytes(least)));
  };
  require_size(database.write_buffer_bytes, 64U << 10, "database.write_buffer_bytes");
  require_size(database.persistence_buffer_bytes_max, 1U << 20,
               "database.persistence_buffer_bytes_max");
  require_size(database.pending_bytes_max, 1U << 20, "database.pending_bytes_max");
  require(limits.value_bytes_max <= limits.commit_bytes_max,
          "limits.value_bytes_max: must not exceed limits.commit_bytes_max");
  require(limits.commit_bytes_max < server.message_bytes_max,
          "limits.commit_bytes_max: must be below server.message_bytes_max, or no request could "
          "carry it");
  require(limits.range_bytes_framed_max <= limits.range_bytes_max,
          "limits.range_bytes_framed_max: must not exceed limits.range_bytes_max");
  // One reply may hold the last pair in full beyond the range limit.
  require(limits.value_bytes_max <= server.output_bytes_max &&
              limits.range_bytes_max <= server.output_bytes_max,
          "server.output_bytes_max: must hold the largest reply: limits.range_bytes_max and "
          "limits.value_bytes_max");
  // Bodies are encoded with a bounded overhead; a quarter leaves room for the smallest pairs.
  require(limits.commit_bytes_max <= database.log_segment_bytes / 4 * 3,
          "database.log_segment_bytes: must be at least 4/3 of limits.commit_bytes_max, because a "
          "commit is one frame of one segment");
  require(database.log_segment_bytes <= database.log_bytes_max / 2,
          "database.log_bytes_max: must hold at least two segments (database.log_segment_bytes)");
  require(limits.commit_bytes_max <= plan.pending_bytes_max &&
              (database.persistence_buffer_bytes_max == 0 ||
               limits.commit_bytes_max <= database.persistence_buffer_bytes_max),
          "limits.commit_bytes_max: must not exceed database.pending_bytes_max or "
          "database.persistence_buffer_bytes_max");
  return broken;
}

}  // namespace synod::server
