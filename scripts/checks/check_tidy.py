#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy finds nothing in base/ and core/ (all sources and the headers they include).

usage: check_tidy.py --build BUILD_FOLDER [--jobs N]; BUILD_FOLDER holds compile_commands.json.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import common

FOLDERS = ("base", "core")
FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", re.MULTILINE)


def tidy(database, source):
    run = subprocess.run(
        ["clang-tidy-14", "--quiet", f"--config-file={common.ROOT / '.clang-tidy'}",
         "-p", str(database), str(source)],
        capture_output=True, text=True, check=False,
    )
    found = [f"{path}:{line}: {what}" for path, line, what in FINDING.findall(run.stdout)]
    if run.returncode != 0 and not found:
        found = [f"{source}: clang-tidy failed: {run.stderr.strip()}"]
    return found


def check(database, sources, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda source: tidy(database, source), sources)
        return sorted({finding for findings in results for finding in findings})


def self_test():
    moved = (
        "#include <string>\n#include <utility>\n"
        "bool f(std::string s) { std::string t(std::move(s)); return t == s; }\n"
    )
    samples = [
        ("int BadName = 0;\n", "readability-identifier-naming"),
        (moved, "bugprone-use-after-move"),
        ("namespace a {\nint f(int x) { return x; }\n}  // namespace a\n", None),
    ]
    wrong = 0
    for text, expected in samples:
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "base" / "a.cc"
            source.parent.mkdir()
            source.write_text(text, encoding="utf-8")
            command = f"g++ -std=c++20 -c {source}"
            entry = {"directory": folder, "file": str(source), "command": command}
            database = pathlib.Path(folder) / "compile_commands.json"
            database.write_text(json.dumps([entry]), encoding="utf-8")
            findings = check(folder, [source], 1)
        good = not findings if expected is None else any(expected in f for f in findings)
        if not good:
            wrong += 1
            print(f"tidy: expected {expected!r}, got {findings}")
    print(f"tidy self-test: {len(samples)} samples, {wrong} wrong")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build" / "release")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        sys.exit(self_test())
    database = json.loads((arguments.build / "compile_commands.json").read_text(encoding="utf-8"))
    wanted = tuple(str(common.ROOT / folder) + os.sep for folder in FOLDERS)
    sources = sorted({entry["file"] for entry in database if entry["file"].startswith(wanted)})
    if not sources:
        sys.exit("tidy: no sources found; is the build folder configured?")
    complaints = check(arguments.build, sources, arguments.jobs)
    print("\n".join(complaints + [f"tidy: {len(sources)} sources, {len(complaints)} complaints"]))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
