#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "PASSED FAILED" for one JUnit file of ctest; anything but a run that passed is a failure.

A file that is missing or names no case counts as one failure, so that an empty selection cannot
look like success. Names of what did not pass, and how their output ended, go to standard error.
"""
import sys
import xml.etree.ElementTree as ElementTree

LINES_SHOWN = 40  # of the output of a case that did not pass, and of the last lines only
CASES_SHOWN = 10


def tell(case):
    """Names one case that did not pass, with the end of what it printed."""
    print(f"not passed: {case.get('name')} ({case.get('status')})", file=sys.stderr)
    for line in (case.findtext("system-out") or "").splitlines()[-LINES_SHOWN:]:
        print(f"  | {line[:300]}", file=sys.stderr)


def count(path):
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no test report: {error}", file=sys.stderr)
        return 0, 1
    if not cases:
        print(f"no test matched ({path})", file=sys.stderr)
        return 0, 1
    bad = [case for case in cases if case.get("status") != "run"]
    for case in bad[:CASES_SHOWN]:
        tell(case)
    if len(bad) > CASES_SHOWN:
        print(f"not passed: {len(bad) - CASES_SHOWN} more", file=sys.stderr)
    return len(cases) - len(bad), len(bad)


if __name__ == "__main__":
    print("%d %d" % count(sys.argv[1]))
