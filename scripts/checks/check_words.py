#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words that must not appear, licence lines that must."""
import re

import common

# (name, pattern, where it counts: "code" without comments and literals or "text", why not)
BANNED = [
    ("random_device", r"\brandom_device\b", "code", "randomness comes from a seeded base::Random"),
    ("system clock", r"\b(system_clock|steady_clock)::now\b", "code", "time enters by base::Clock"),
    ("sleep", r"\b(sleep_for|sleep_until|usleep|nanosleep)\b", "code", "wait for the event itself"),
    ("rand", r"\bs?rand\s*\(", "code", "randomness comes from a seeded base::Random"),
    ("disabled test", r"\b(DISABLED_\w|GTEST_SKIP\b)", "code", "a test runs or does not exist"),
    ("unfinished", r"\b(TO" + r"DO|FIX" + r"ME|XXX)\b", "text", "finish it or leave it out"),
    (
        "machine path",
        r"(?<![\w./-])/(?:work|root|tmp/wt)(?=/)",
        "text",
        "the tree must not know the machine it was written on",
    ),
]

# (how the path starts, name of the word): places where the thing itself lives, or has to.
ALLOWED = {
    ("base/clock.cc", "system clock"),
    ("client/", "sleep"),  # a blocking client backs off between retries
    ("client/", "system clock"),
    ("tests/bench", "system clock"),
    ("tests/suite", "system clock"),  # looks at a real server from outside
}

TEXT = common.CPP + (".py", ".sh", ".thrift", ".toml", ".txt", ".cmake", ".md", ".yml", ".json")
LICENSED = common.CPP + (".py", ".sh", ".thrift")
SPDX = "SPDX-License-Identifier: Apache-2.0"


def is_allowed(path, name):
    return any(
        name == word and str(path).startswith(place)
        for place, word in ALLOWED
    )


def check_words(path, text):
    code = common.code_only(text) if path.suffix in common.CPP else ""
    for name, pattern, where, why in BANNED:
        if is_allowed(path, name):
            continue
        haystack = code if where == "code" else text
        for match in re.finditer(pattern, haystack):
            line = haystack.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group(0).strip()}: {why}"


def check_licence(path, text):
    lines = text.split("\n", 2)
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    if SPDX not in first:
        yield f"{path}:1: the first line must be {SPDX}"


def check(root):
    complaints = []
    for path in common.files(root):
        is_script = path.suffix == "" and (root / path).read_bytes()[:2] == b"#!"
        if path.suffix not in TEXT and not is_script:
            continue
        text = common.read(root, path)
        if text is None:
            continue
        # This file spells the words out.
        if path.name != "check_words.py":
            complaints += check_words(path, text)
        if path.suffix in LICENSED or is_script:
            complaints += check_licence(path, text)
    return complaints


HEAD = "// " + SPDX + "\n"
SAMPLES = [
    ("a/a.cc", HEAD + "std::random_device d;\n", "random_device"),
    ("a/a.cc", HEAD + "auto t = std::chrono::system_clock::now();\n", "base::Clock"),
    ("tests/a/a.cc", HEAD + "std::this_thread::sleep_for(x);\n", "wait for the event"),
    ("a/a.cc", HEAD + "int x = rand();\n", "seeded"),
    ("tests/a/a.cc", HEAD + "TEST(A, DISABLED_B) {}\n", "a test runs"),
    ("a/a.cc", HEAD + "// TO" + "DO: later\n", "finish it"),
    ("a/a.sh", "#!/bin/sh\n# " + SPDX + "\ncd /wo" + "rk/main\n", "machine"),
    ("a/a.cc", "int x;\n", "first line must be"),
    ("a/run", "#!/bin/sh\nexit 0\n", "first line must be"),
    ("a/a.cc", HEAD + "int operand(int);  // std::random_device, not sleep_for\n", None),
    ("a/a.cc", HEAD + 'const char* s = "usleep"; // net' + "/work/x\n", None),
    ("client/cpp/a.cc", HEAD + "std::this_thread::sleep_for(x);\n", None),
    ("a/run", "#!/bin/sh\n# " + SPDX + "\n", None),
]

if __name__ == "__main__":
    common.main("words", check, SAMPLES)
