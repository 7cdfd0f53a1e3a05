#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every shell script passes shellcheck."""
import subprocess

import common


def is_shell(root, path):
    if path.suffix == ".sh":
        return True
    with open(root / path, "rb") as script:
        first = script.readline()
    return path.suffix == "" and first.startswith(b"#!") and b"sh" in first.split(b"/")[-1]


def check(root):
    complaints = []
    for path in common.files(root):
        if is_shell(root, path):
            run = subprocess.run(
                ["shellcheck", "-x", "-f", "gcc", str(path)],
                cwd=root, capture_output=True, text=True, check=False,
            )
            complaints += run.stdout.splitlines() + run.stderr.splitlines()
    return complaints


SAMPLES = [
    ("a/a.sh", "#!/bin/bash\nfor f in $(ls); do rm $f; done\n", "SC2"),
    ("a/tool", "#!/usr/bin/env bash\ncd $1\n", "SC2"),
    ("a/tool", '#!/usr/bin/env bash\ncd "$1" || exit 1\n', None),
]

if __name__ == "__main__":
    common.main("shell", check, SAMPLES)
