// SPDX-License-Identifier: Apache-2.0
// The only file of the server that knows the command line library.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/text.h"
#include "server/config/config_load.h"

namespace synod::server {

using base::concat;
using base::Status;
using base::StatusCode;

namespace {

/// A flag that takes a value and stands for one key.
struct ValueFlag {
  const char* names;
  const char* path;
  const char* help;
};

constexpr std::array<ValueFlag, 8> kValueFlags = {{
    {"-p,--port", "server.port", "TCP port of the Thrift service (THRIFT_PORT wins over it)"},
    {"-d,--data-dir,--db-path", "server.data_dir", "folder of all data"},
    {"-n,--node-id", "server.node_id", "number of this node"},
    {"--peers", "cluster.peers", "all nodes of the group, as 1=host:6001,2=host:6002,..."},
    {"--bind", "server.bind", "address to listen on"},
    {"--workers", "server.workers", "network threads; 0: one for each usable processor but one"},
    {"--durability", "database.durability", "sync, batched or async"},
    {"--log-level", "log.level", "debug, info, warning or error"},
}};

constexpr const char* kFooter =
    "Every setting of --print-sample-config can be given as --set table.key=value or as the\n"
    "environment variable SYNOD__TABLE__KEY. Command line over environment over file over "
    "default;\n"
    "only THRIFT_PORT wins over --port.\n\n"
    "exit codes: 0 clean stop, 1 failure while running, 2 usage or configuration,\n"
    "            3 data folder, 4 port in use, 5 the disk broke a promise";

/// Where the library leaves what it read.
struct Parsed {
  CommandLine command;
  std::array<std::string, kValueFlags.size()> values;
  std::vector<std::string> assignments;
  bool verbose = false;
  bool insecure_plaintext = false;
  bool replicated = false;
  bool print_sample = false;
};

void declare(CLI::App& app, Parsed& parsed) {
  const auto last = CLI::MultiOptionPolicy::TakeLast;
  app.set_version_flag("--version", version_text(), "print the version and exit");
  app.add_option("-c,--config", parsed.command.config_file,
                 "TOML file; without it <folder of the executable>/db_config.toml, if there is one")
      ->multi_option_policy(last);
  for (std::size_t i = 0; i < kValueFlags.size(); ++i) {
    app.add_option(kValueFlags[i].names, parsed.values[i], kValueFlags[i].help)
        ->multi_option_policy(last);
  }
  app.add_option("--log-dir", parsed.command.log_dir,
                 "folder for a log file, in addition to standard error")
      ->multi_option_policy(last);
  app.add_flag("-v,--verbose", parsed.verbose, "same as --log-level debug");
  app.add_flag("--insecure-plaintext", parsed.insecure_plaintext,
               "allow an address that other machines can reach");
  app.add_flag("--replicated", parsed.replicated,
               "replicated mode: with --peers this process is one replica, without it all of them");
  app.add_option("--set", parsed.assignments, "any setting, as table.key=value; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--check-config", parsed.command.check_config,
               "load the configuration, print it with the origin of each setting, and exit");
  app.add_flag("--print-sample-config", parsed.print_sample,
               "print a file with every setting, its meaning and default, and exit");
  app.footer(kFooter);
}

Status collect_settings(const CLI::App& app, Parsed& parsed) {
  auto& settings = parsed.command.settings;
  if (parsed.verbose) settings.push_back({"log.level", "debug", "--verbose"});
  if (parsed.insecure_plaintext) {
    settings.push_back({"server.insecure_plaintext", "true", "--insecure-plaintext"});
  }
  if (parsed.replicated) settings.push_back({"cluster.replicated", "true", "--replicated"});
  for (std::size_t i = 0; i < kValueFlags.size(); ++i) {
    const std::string_view names = kValueFlags[i].names;
    const std::string flag(names.substr(names.find("--")));
    const std::string first = flag.substr(0, flag.find(','));
    if (app.count(first) > 0) settings.push_back({kValueFlags[i].path, parsed.values[i], first});
  }
  for (const std::string& assignment : parsed.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) {
      return Status(StatusCode::kInvalidArgument,
                    concat("--set: expected table.key=value, got ", base::escape(assignment)));
    }
    settings.push_back({assignment.substr(0, equals), assignment.substr(equals + 1), "--set"});
  }
  return Status();
}

}  // namespace

base::Result<CommandLine> parse_command_line(std::vector<std::string> arguments) {
  CLI::App app("Synod: a transactional key-value store.", "synod-server");
  Parsed parsed;
  try {
    declare(app, parsed);
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    parsed.command.print = app.help();
    return std::move(parsed.command);
  } catch (const CLI::CallForVersion&) {
    parsed.command.print = version_text() + "\n";
    return std::move(parsed.command);
  } catch (const CLI::Error& error) {
    return Status(StatusCode::kInvalidArgument,
                  concat(base::escape(error.what(), 512), " (see --help)"));
  }
  SYNOD_RETURN_IF_ERROR(collect_settings(app, parsed));
  if (parsed.print_sample) parsed.command.print = sample_config();
  return std::move(parsed.command);
}

}  // namespace synod::server
