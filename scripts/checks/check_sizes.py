#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes: files <= 800 lines, headers <= 300, functions <= 70, lines <= 100 columns."""
import re

import common

FILE_LINES_MAX = 800
HEADER_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

# What stands before a brace that opens a scope in which functions are defined.
SCOPE = re.compile(r"\b(namespace|class|struct|union|extern|export)\b")
NOT_FUNCTION = re.compile(r"\b(enum)\b|=\s*$|\breturn\b")


def functions(text):
    """(name, first line, lines) of every function body, found by counting braces.

    A brace opens a function if it stands in a namespace or class scope and the text since the last
    `;`, `{` or `}` has a parameter list. Good enough: what it misses are macros.
    """
    text = common.code_only(text)
    text = re.sub(r"(?m)^[ \t]*#(?:\\\n|.)*$", lambda m: "\n" * m.group(0).count("\n"), text)
    stack, found = [], []
    head_start = 0
    for position, char in enumerate(text):
        if char == ";" and not in_parentheses(text[head_start:position]):
            head_start = position + 1
        elif char == "{":
            stack.append(open_brace(text, head_start, position, stack))
            if stack[-1][0] != "value":
                head_start = position + 1
        elif char == "}" and stack:
            kind, start, name = stack.pop()
            if kind == "value":
                continue
            if kind == "function":
                first = text.count("\n", 0, start) + 1
                found.append((name, first, text.count("\n", 0, position) + 2 - first))
            head_start = position + 1
    return found


def in_parentheses(head):
    return head.count("(") > head.count(")")


def open_brace(text, head_start, position, stack):
    head = text[head_start:position]
    if re.search(r"[\w>]$", head):  # clang-format puts a space before every body
        return ("value", position, "")
    start = head_start + len(head) - len(head.lstrip())
    if stack and stack[-1][0] != "scope":
        return ("inner", start, "")
    if "(" in head and not NOT_FUNCTION.search(head):
        name = re.search(r"([~\w:]+(?:\s*operator\s*\S+)?)\s*\(", head)
        return ("function", start, name.group(1) if name else "function")
    return ("scope" if SCOPE.search(head) else "inner", start, "")


def check_file(path, text):
    lines = text.split("\n")
    count = len(lines) - (lines[-1] == "")
    if count > FILE_LINES_MAX:
        yield f"{path}: {count} lines, at most {FILE_LINES_MAX}: split it by role"
    elif path.suffix == ".h" and count > HEADER_LINES_MAX:
        yield f"{path}: {count} lines, a header has at most {HEADER_LINES_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and "://" not in line:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"
    if path.suffix in common.CPP:
        for name, first, length in functions(text):
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{first}: {name} has {length} lines, at most {FUNCTION_LINES_MAX}"


def check(root):
    complaints = []
    for path in common.files(root):
        if path.suffix in common.CPP + (".py", ".sh", ".thrift"):
            complaints += check_file(path, common.read(root, path) or "")
    return complaints


def body(lines):
    return "  call(a, b);\n" * lines


SAMPLES = [
    ("a/long.cc", "int x;\n" * 801, "801 lines, at most 800"),
    ("a/long.h", "int x;\n" * 301, "a header has at most 300"),
    ("a/wide.cc", "int x;" + " " * 95 + "\n", "101 columns"),
    ("a/f.cc", "namespace a {\nvoid T::f(int x) const {\n" + body(69) + "}\n}\n", "T::f has 71"),
    ("a/g.cc", "struct S {\n  S() : a_(1), b_{2} {\n" + body(70) + "  }\n};\n", "has 7"),
    ("a/t.cc", "TEST(Thing, IsLong) {\n  if (x) {\n" + body(80) + "  }\n}\n", "TEST has 84"),
    ("a/l.cc", "void f() {\n  g([] {\n" + body(70) + "  });\n}\n", "f has 74"),
    ("a/ok.cc", "namespace a {\nvoid f() {\n" + body(68) + "}\nvoid g() {\n}\n}\n", None),
    ("a/s.cc", 'auto k = "{";  // {\nvoid f() {\n' + body(60) + "}\n" + "int x;\n" * 80, None),
    ("a/e.h", "struct S {\n" + "  int f();\n" * 100 + "};\n", None),
]

if __name__ == "__main__":
    common.main("sizes", check, SAMPLES)
