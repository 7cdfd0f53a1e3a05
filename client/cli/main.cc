// SPDX-License-Identifier: Apache-2.0
#include <thrift/Thrift.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <sstream>

#include "client/cli/admin_commands.h"
#include "client/cli/data_commands.h"
#include "client/cli/restore.h"

namespace synod::client {
namespace {

/// What the subcommand on the command line asks for.
using Command = std::function<ExitCode()>;

/// Everything the command line can say.
struct Arguments {
  std::string endpoint;
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;
  std::int64_t timeout_ms = 10'000;
  std::string ns;
  bool hex = false;
  bool raw = false;
  std::string data_dir;
  std::string admin_socket;

  std::string key;
  std::string value;
  std::int64_t ttl_ms = 0;
  bool fail_if_missing = false;
  RangeArguments range;
  std::string script = "-";
  bool json = false;
  bool deep = false;
  std::string backup_name;
  std::string restore_from;
  std::int32_t node = 0;
  std::int32_t replacement = 0;
};

constexpr const char* kFooter =
    "Keys and values are read and printed with escapes (\\n \\t \\\\ \\xNN) unless --hex or --raw "
    "is "
    "given.\n"
    "Exit codes: 0 done, 1 error, 2 usage, 3 key not found (with --fail-if-missing),\n"
    "            4 server not ready, 5 verification failed.";

ExitCode usage_error(const std::string& message) {
  std::cerr << "synodctl: " << message << '\n';
  return kExitUsage;
}

/// host:port, or [address]:port, or host alone.
bool split_endpoint(const std::string& text, Arguments& arguments) {
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty()) return false;
  arguments.host = host;
  if (colon == std::string::npos) return true;
  char* end = nullptr;
  const std::string port = text.substr(colon + 1);
  const unsigned long number = std::strtoul(port.c_str(), &end, 10);
  if (port.empty() || *end != '\0' || number == 0 || number > 65'535) return false;
  arguments.port = static_cast<std::uint16_t>(number);
  return true;
}

template <class Body>
ExitCode with_client(Arguments& arguments, Body&& body) {
  if (arguments.hex && arguments.raw) return usage_error("--hex and --raw exclude each other");
  if (!arguments.endpoint.empty() && !split_endpoint(arguments.endpoint, arguments)) {
    return usage_error("\"" + arguments.endpoint + "\" is no host:port");
  }
  ClientOptions options;
  options.connect_timeout = base::Millis(arguments.timeout_ms);
  options.call_timeout = base::Millis(arguments.timeout_ms);
  auto client = Client::connect(arguments.host, arguments.port, options);
  if (!client.ok()) return fail(std::cerr, client.status());
  DataContext context{*client, arguments.ns,
                      arguments.hex   ? ByteFormat::kHex
                      : arguments.raw ? ByteFormat::kRaw
                                      : ByteFormat::kEscaped,
                      std::cout, std::cerr};
  return body(context);
}

template <class Body>
ExitCode with_admin(const Arguments& arguments, Body&& body) {
  std::string path = arguments.admin_socket;
  if (path.empty()) {
    if (arguments.data_dir.empty()) return usage_error("--data-dir or --admin-socket is needed");
    path = arguments.data_dir + "/admin.sock";
  }
  auto admin = AdminClient::connect(path);
  if (!admin.ok()) return fail(std::cerr, admin.status());
  return body(*admin);
}

ExitCode read_script(const std::string& path, std::string& text) {
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    return kExitOk;
  }
  const std::ifstream file(path, std::ios::binary);
  if (!file) return usage_error("cannot read " + path);
  std::ostringstream content;
  content << file.rdbuf();
  text = content.str();
  return kExitOk;
}

ExitCode run_script(Arguments& arguments) {
  std::string script;
  const ExitCode code = read_script(arguments.script, script);
  if (code != kExitOk) return code;
  return with_client(arguments, [&](DataContext& c) { return run_txn(c, script); });
}

ExitCode restore_to(const Arguments& arguments) {
  if (arguments.data_dir.empty()) return usage_error("restore needs --data-dir");
  const base::Status done = restore_backup(arguments.restore_from, arguments.data_dir);
  if (!done.ok()) return fail(std::cerr, done);
  std::cout << "restored " << arguments.data_dir << '\n';
  return kExitOk;
}

void add_data_commands(CLI::App& app, Arguments& a, Command& run) {
  auto* get = app.add_subcommand("get", "Print the value of a key");
  get->add_option("key", a.key)->required();
  get->add_flag("--fail-if-missing", a.fail_if_missing, "Exit with 3 if there is no such key");
  get->callback([&] {
    run = [&] {
      return with_client(a, [&](DataContext& c) { return run_get(c, a.key, a.fail_if_missing); });
    };
  });

  auto* put = app.add_subcommand("put", "Set a key");
  put->add_option("key", a.key)->required();
  put->add_option("value", a.value)->required();
  put->add_option("--ttl-ms", a.ttl_ms, "Let the key disappear after so many milliseconds")
      ->check(CLI::PositiveNumber);
  put->callback([&] {
    run = [&] {
      return with_client(a, [&](DataContext& c) { return run_put(c, a.key, a.value, a.ttl_ms); });
    };
  });

  auto* remove = app.add_subcommand("delete", "Delete a key");
  remove->add_option("key", a.key)->required();
  remove->callback([&] {
    run = [&] { return with_client(a, [&](DataContext& c) { return run_delete(c, a.key); }); };
  });

  auto* range = app.add_subcommand("range", "Print keys and values in order, tab between them");
  range->add_option("--begin", a.range.begin, "First key");
  range->add_option("--end", a.range.end, "The key before which to stop");
  range->add_option("--prefix", a.range.prefix, "Keys that begin with this");
  range->add_option("--limit", a.range.limit, "Rows at most; 0: all")->capture_default_str();
  range->add_flag("--keys-only", a.range.keys_only, "Leave out the values");
  range->callback([&] {
    run = [&] { return with_client(a, [&](DataContext& c) { return run_range(c, a.range); }); };
  });

  auto* txn = app.add_subcommand("txn", "Run a script as one transaction");
  txn->add_option("script", a.script, "File; - is standard input")->capture_default_str();
  txn->footer(
      "One step a line; # begins a comment:\n"
      "  check KEY VERSION    conflict unless the key's last write has this version (0: missing)\n"
      "  read KEY             print it as this transaction sees it\n"
      "  set KEY VALUE [ttl=MILLISECONDS]\n  delete KEY\n  incr KEY NUMBER\n"
      "  append KEY VALUE\n  clear BEGIN END      remove all keys from BEGIN up to before END");
  txn->callback([&] { run = [&] { return run_script(a); }; });
}

void add_admin_commands(CLI::App& app, Arguments& a, Command& run) {
  auto* status = app.add_subcommand("status", "Show the state of the node");
  status->add_flag("--json", a.json, "One JSON object");
  status->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.status(a.json, std::cout, std::cerr); });
    };
  });

  auto* verify = app.add_subcommand("verify", "Compare what is in memory with what is stored");
  verify->add_flag("--deep", a.deep, "Read every stored value too");
  verify->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.verify(a.deep, std::cout, std::cerr); });
    };
  });

  auto* compact = app.add_subcommand("compact", "Compact the storage backend");
  compact->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.compact(std::cout, std::cerr); });
    };
  });

  auto* backup = app.add_subcommand("backup", "Make a consistent copy while the node serves");
  backup->add_option("name", a.backup_name)->required();
  backup->callback([&] {
    run = [&] {
      return with_admin(
          a, [&](AdminClient& c) { return c.backup(a.backup_name, std::cout, std::cerr); });
    };
  });

  auto* flush = app.add_subcommand("flush", "Write everything behind to the storage backend");
  flush->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.flush(std::cout, std::cerr); });
    };
  });

  auto* snapshot = app.add_subcommand("snapshot", "Take a snapshot of this replica now");
  snapshot->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.snapshot(std::cout, std::cerr); });
    };
  });

  auto* restore = app.add_subcommand("restore", "Make a data directory from a backup (offline)");
  restore->add_option("--from", a.restore_from, "The backup")->required();
  restore->callback([&] { run = [&] { return restore_to(a); }; });
}

void add_member_command(CLI::App& parent, Arguments& a, Command& run, MemberVerb verb,
                        const std::string& name, const std::string& help) {
  auto* command = parent.add_subcommand(name, help);
  command->add_option(verb == MemberVerb::kReplace ? "old" : "id", a.node)
      ->required()
      ->check(CLI::PositiveNumber);
  if (verb == MemberVerb::kReplace) {
    command->add_option("new", a.replacement)->required()->check(CLI::PositiveNumber);
  }
  command->callback([&a, &run, verb] {
    run = [&a, verb] {
      return with_admin(a, [&](AdminClient& c) {
        return c.change_member(verb, a.node, a.replacement, std::cout, std::cerr);
      });
    };
  });
}

void add_group_commands(CLI::App& app, Arguments& a, Command& run) {
  auto* health = app.add_subcommand("health", "Exit with 0 if the node can serve, with 4 if not");
  health->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.health(std::cout, std::cerr); });
    };
  });

  auto* members = app.add_subcommand("members", "Show the members of the group");
  members->add_flag("--json", a.json, "One line of JSON");
  members->callback([&] {
    run = [&] {
      return with_admin(a, [&](AdminClient& c) { return c.members(a.json, std::cout, std::cerr); });
    };
  });

  auto* transfer = app.add_subcommand("transfer-leader", "Let another node lead; ask the leader");
  transfer->add_option("node", a.node, "Who; the leader chooses if it is not given")
      ->check(CLI::PositiveNumber);
  transfer->callback([&] {
    run = [&] {
      return with_admin(
          a, [&](AdminClient& c) { return c.transfer_leader(a.node, std::cout, std::cerr); });
    };
  });

  auto* member = app.add_subcommand("member", "Change the members of the group; ask the leader");
  member->require_subcommand(1);
  add_member_command(*member, a, run, MemberVerb::kAdd, "add", "A new node becomes a voter");
  add_member_command(*member, a, run, MemberVerb::kRemove, "remove", "A node leaves the group");
  add_member_command(*member, a, run, MemberVerb::kReplace, "replace",
                     "A node, or a new disk of the same node, takes the place of one");
}

int run(int argc, char** argv) {
  // Failures are reported by us, with their context; libthrift would print them a second time.
  apache::thrift::GlobalOutput.setOutputFunction([](const char*) {});
  Arguments arguments;
  Command command;
  CLI::App app("synodctl: talk to a Synod server, administer a node", "synodctl");
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(kFooter);
  app.add_option("--endpoint", arguments.endpoint, "host:port; or set SYNOD_ENDPOINT");
  auto* endpoint = app.get_option("--endpoint");
  auto* host = app.add_option("--host", arguments.host)->capture_default_str()->excludes(endpoint);
  auto* port = app.add_option("--port", arguments.port)->capture_default_str()->excludes(endpoint);
  app.add_option("--timeout-ms", arguments.timeout_ms, "For connecting and for each call")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--namespace", arguments.ns, "Namespace of the keys");
  app.add_flag("--hex", arguments.hex, "Keys and values as hexadecimal digits");
  app.add_flag("--raw", arguments.raw, "Keys and values as they are");
  app.add_option("--data-dir", arguments.data_dir, "Data directory of the node to administer")
      ->envname("SYNOD_DATA_DIR");
  app.add_option("--admin-socket", arguments.admin_socket, "Instead of <data-dir>/admin.sock");
  add_data_commands(app, arguments, command);
  add_admin_commands(app, arguments, command);
  add_group_commands(app, arguments, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const char* from_environment = std::getenv("SYNOD_ENDPOINT");
  if (from_environment != nullptr && endpoint->count() + host->count() + port->count() == 0) {
    arguments.endpoint = from_environment;
  }
  const ExitCode code = command();
  std::cout.flush();
  return std::cout ? code : kExitError;
}

}  // namespace
}  // namespace synod::client

int main(int argc, char** argv) { return synod::client::run(argc, argv); }
