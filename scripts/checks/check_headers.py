#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone: one translation unit per header, which includes it twice.

usage: check_headers.py --compiler g++ --build BUILD_FOLDER [--jobs N]
Headers of generated Thrift code are looked for in BUILD_FOLDER/gen/*.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

import common


def compile_header(compiler, root, includes, path):
    """None if the header stands alone, else the compiler's first complaint."""
    flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", str(root)]
    for folder in includes:
        flags += ["-isystem", str(folder)]
    unit = f'#include "{path}"\n#include "{path}"\n'
    run = subprocess.run(
        [compiler, *flags, "-x", "c++", "-"],
        input=unit, cwd=root, capture_output=True, text=True, check=False,
    )
    if run.returncode == 0:
        return None
    errors = [line for line in run.stderr.splitlines() if "error" in line] or [run.stderr]
    return f"{path}: does not compile alone: {errors[0]}"


def check(root, compiler, includes, jobs):
    headers = [path for path in common.files(root) if path.suffix == ".h"]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda path: compile_header(compiler, root, includes, path), headers)
        return [complaint for complaint in results if complaint]


def self_test(compiler):
    samples = [
        ("a.h", "#pragma once\nstd::string f();\n", False),
        ("b.h", "int twice = 1;\n", False),
        ("c.h", "#pragma once\n#include <string>\nstd::string f();\n", True),
    ]
    wrong = 0
    for name, text, good in samples:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / name).write_text(text, encoding="utf-8")
            wrong += (not check(root, compiler, [], 1)) != good
    print(f"headers self-test: {len(samples)} samples, {wrong} wrong")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build" / "release")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        sys.exit(self_test(arguments.compiler))
    includes = sorted(arguments.build.resolve().glob("gen/*"))
    complaints = check(common.ROOT, arguments.compiler, includes, arguments.jobs)
    print("\n".join(complaints + [f"headers: {len(complaints)} complaints"]))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
