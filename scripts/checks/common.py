#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the house checks share: which files there are, C++ without comments, and one way to run.

Run by itself it prints every C++ file, NUL-separated.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED_FOLDERS = {"build", ".git", ".cache", "data", "__pycache__"}
CPP = (".h", ".cc")


def files(root=ROOT):
    """Paths relative to `root` of all files that are, or could be, committed; sorted."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-c", "-o", "--exclude-standard"]
    listed = None
    if (root / ".git").exists():
        listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if listed is not None and listed.returncode == 0:
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    else:  # a source archive
        names = []
        for folder, folders, entries in os.walk(root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            names += [os.path.relpath(os.path.join(folder, entry), root) for entry in entries]
    return sorted(pathlib.PurePosixPath(name) for name in names if (root / name).is_file())


def cpp_files(root=ROOT):
    return [path for path in files(root) if path.suffix in CPP]


def read(root, path):
    """The text of a file, or None if it is binary."""
    data = (root / path).read_bytes()
    if b"\0" in data:
        return None
    return data.decode("utf-8", errors="replace")


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\s\\]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def code_only(text, keep_strings=False):
    """C++ with comments (and literals) blanked; every line keeps its number."""

    def blank(match):
        token = match.group(0)
        lines = "\n" * token.count("\n")
        if token.startswith("/"):
            return lines
        return token if keep_strings else '""' + lines

    return TOKEN.sub(blank, text)


def main(name, check, samples):
    """Runs `check(root) -> [complaint]` over the tree, or its self-test over `samples`.

    Each sample is (path, text, part of the complaint expected, or None if it must pass).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        sys.exit(self_test(name, check, samples))
    complaints = check(ROOT)
    for complaint in complaints:
        print(complaint)
    print(f"{name}: {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


def self_test(name, check, samples):
    failures = 0
    for path, text, expected in samples:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            complaints = check(root)
        good = not complaints if expected is None else any(expected in c for c in complaints)
        if not good:
            failures += 1
            print(f"{name}: sample {path}: expected {expected!r}, got {complaints}")
    print(f"{name} self-test: {len(samples)} samples, {failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\0" for path in cpp_files()))
