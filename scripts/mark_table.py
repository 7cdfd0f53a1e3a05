#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns `mark:` lines on standard input into a table with verdicts, in Markdown.

    mark: NAME aim >=2.5 measured 3.10 (2.95-3.40)      at least: a ratio or a figure
    mark: NAME aim <=64 measured 71.00 (71.00-71.00) B  at most; what follows is the unit
"""
import re
import sys

LINE = re.compile(r"^mark: (?P<name>.+) aim (?P<how>>=|<=)(?P<aim>[0-9.]+)"
                  r" measured (?P<median>[0-9.]+)"
                  r" \((?P<least>[0-9.]+)-(?P<greatest>[0-9.]+)\) ?(?P<unit>.*)$")


def verdict(how, aim, median):
    """What the median makes of the mark."""
    if (median >= aim) if how == ">=" else (median <= aim):
        return "reached"
    off = (aim - median) / aim if how == ">=" else (median - aim) / aim
    return f"missed by {off * 100:.0f} %"


def rows(lines):
    for line in lines:
        found = LINE.match(line.strip())
        if not found:
            continue
        aim, median = float(found["aim"]), float(found["median"])
        unit = f" {found['unit']}" if found["unit"] else ""
        sign = "≥" if found["how"] == ">=" else "≤"
        yield (found["name"], f"{sign} {found['aim']}{unit}",
               f"{found['median']} ({found['least']}–{found['greatest']}){unit}",
               verdict(found["how"], aim, median))


def main():
    table = list(rows(sys.stdin))
    if not table:
        sys.exit("no mark was measured")
    print("| what | aim | measured: median (least–greatest) | |\n|---|---|---|---|")
    for row in table:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
