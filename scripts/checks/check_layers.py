#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Floors: a file includes lower floors and its own folder; each library has one home."""
import re

import common

# Which project folders the files of a folder may include. The longest matching key counts.
FLOORS = {
    "base": {"base"},
    "storage": {"base", "storage"},
    "net": {"base", "net"},
    "core": {"base", "storage", "core"},
    "consensus": {"base", "storage", "net", "consensus"},
    "consensus/protocol": {"base", "consensus/protocol"},
    "router": {"base", "storage", "net", "core", "consensus", "router"},
    "server": {"base", "storage", "net", "core", "consensus", "router", "server"},
    "client": {"base", "client"},
}
EVERYTHING = {"base", "storage", "net", "core", "consensus", "router", "server", "client", "tests"}

# Third-party headers by prefix, and the folders that may name them. tests/<folder> may name what
# <folder> may.
HOMES = {
    "rocksdb/": {"storage"},
    "leveldb/": {"storage"},
    "boost/": {"net", "server/http"},
    "openssl/": {"net"},
    "thrift/": {"thrift", "server/thrift", "client", "tests"},
    "cereal/": {"base"},
    "spdlog/": {"base"},
    "absl/": {"base", "tests"},  # tests and benchmarks measure against them
    "libcuckoo/": {"tests"},
    "toml++/": {"server/config"},
    "CLI/": {"server", "client"},
    "grpcpp/": {"client/bench"},
    "gtest/": {"tests"},
    "gmock/": {"tests"},
    "benchmark/": {"tests"},
}
SYSTEM = ("sys/", "linux/", "netinet/", "arpa/", "net/", "asm/", "experimental/")
# Headers that thrift and protoc generate carry no folder: <service>.h, <file>_types.h, <file>.pb.h.
GENERATED = re.compile(
    r"^[\"<](?:[A-Z]\w*\.h|\w+_(?:types|constants)\.h(?:pp)?|\w+(?:\.grpc)?\.pb\.h)[\">]$")
GENERATED_HOMES = {"thrift", "server/thrift", "client", "tests"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"][^>"]+[>"])', re.MULTILINE)


def inside(path, folders):
    text = str(path)
    return any(text.startswith(folder + "/") for folder in folders)


def allowed_floors(path):
    keys = [key for key in FLOORS if inside(path, [key])]
    return FLOORS[max(keys, key=len)] if keys else EVERYTHING


def is_simulated(name):
    return name.startswith("sim_") or name.endswith("_sim.h")


def judge_project(path, target):
    if target.split("/")[0] not in EVERYTHING | {"thrift"}:
        return f'"{target}" is not a path from the root'
    if is_simulated(target.split("/")[-1]):
        if not inside(path, ["tests"]) and not is_simulated(path.name):
            return f"{target} is a simulated twin: only tests and other twins include it"
    if not any(target.startswith(folder + "/") for folder in allowed_floors(path)):
        return f"{target} is not on a floor below {path.parts[0]}"
    return None


def judge_third_party(path, target):
    for prefix, homes in HOMES.items():
        if target.startswith(prefix):
            if inside(path, homes | {"tests/" + home for home in homes}):
                return None
            return f"<{target}> lives in {', '.join(sorted(homes))}"
    if "/" in target and not target.startswith(SYSTEM):
        return f"<{target}> has no home; give its library one in check_layers.py"
    return None


def judge(path, include):
    target = include[1:-1]
    if GENERATED.match(include):
        return None if inside(path, GENERATED_HOMES) else f"{target} is generated Thrift code"
    if include.startswith('"'):
        return judge_project(path, target)
    return judge_third_party(path, target)


def check(root):
    complaints = []
    for path in common.cpp_files(root):
        text = common.code_only(common.read(root, path) or "", keep_strings=True)
        for match in INCLUDE.finditer(text):
            reason = judge(path, match.group(1))
            if reason:
                line = text.count("\n", 0, match.start(1)) + 1
                complaints.append(f"{path}:{line}: {reason}")
    return complaints


SAMPLES = [
    ("base/a.cc", '#include "core/types.h"\n', "not on a floor below"),
    ("core/a.cc", '#include "net/transport.h"\n', "not on a floor below"),
    ("storage/a.h", '#include "net/worker.h"\n', "not on a floor below"),
    ("consensus/runtime/a.h", '#include "core/types.h"\n', "not on a floor below"),
    ("consensus/protocol/a.h", '#include "consensus/log/b.h"\n', "not on a floor below"),
    ("client/cpp/a.h", '#include "core/types.h"\n', "not on a floor below"),
    ("core/a.cc", "  # include  <rocksdb/db.h>\n", "lives in storage"),
    ("server/a.cc", "#include <boost/asio.hpp>\n", "lives in net"),
    ("server/a.cc", "#include <toml++/toml.h>\n", "lives in server/config"),
    ("base/a.cc", "#include <nlohmann/json.hpp>\n", "has no home"),
    ("core/a.cc", '#include "TransactionalKV.h"\n', "generated Thrift code"),
    ("server/resp/a.cc", '#include "kvstore_types.h"\n', "generated Thrift code"),
    ("core/a.cc", '#include "base/sim_loop.h"\n', "simulated twin"),
    ("core/a.cc", '#include "types.h"\n', "not a path from the root"),
    ("storage/sim_file.h", '#include "base/sim_loop.h"\n', None),
    ("tests/core/a.cc", '#include "base/sim_loop.h"\n#include <gtest/gtest.h>\n', None),
    ("tests/storage/a.cc", "#include <rocksdb/db.h>\n", None),
    ("server/thrift/a.cc", '#include "TransactionalKV.h"\n#include "core/read.h"\n', None),
    ("core/a.cc", '// #include "net/a.h"\n#include <sys/stat.h>\n#include <vector>\n', None),
]

if __name__ == "__main__":
    common.main("layers", check, SAMPLES)
