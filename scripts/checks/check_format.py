#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every C++ file is as clang-format leaves it (`./dev fmt`)."""
import re
import subprocess

import common

BATCH = 40


def check(root):
    style = f"--style=file:{common.ROOT / '.clang-format'}"
    paths = [str(path) for path in common.cpp_files(root)]
    complaints = []
    for first in range(0, len(paths), BATCH):
        run = subprocess.run(
            ["clang-format-14", style, "--dry-run", *paths[first : first + BATCH]],
            cwd=root, capture_output=True, text=True, check=True,
        )
        found = re.findall(r"^(\S+?:\d+):\d+: warning", run.stderr, re.MULTILINE)
        complaints += [f"{place}: clang-format would change this" for place in dict.fromkeys(found)]
    return complaints


SAMPLES = [
    ("a/a.cc", "int  f( int x ){return x;}\n", "a/a.cc:1: clang-format"),
    ("a/a.cc", "int f(int x) { return x; }\n", None),
]

if __name__ == "__main__":
    common.main("format", check, SAMPLES)
