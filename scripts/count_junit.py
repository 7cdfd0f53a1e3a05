#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "PASSED FAILED" for one JUnit file of ctest; anything but a run that passed is a failure.

A file that is missing or names no case counts as one failure, so that an empty selection cannot
look like success. Names of what did not pass go to standard error.
"""
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no test report: {error}", file=sys.stderr)
        return 0, 1
    if not cases:
        print(f"no test matched ({path})", file=sys.stderr)
        return 0, 1
    bad = [(case.get("name"), case.get("status")) for case in cases if case.get("status") != "run"]
    for name, status in bad:
        print(f"not passed: {name} ({status})", file=sys.stderr)
    return len(cases) - len(bad), len(bad)


if __name__ == "__main__":
    print("%d %d" % count(sys.argv[1]))
