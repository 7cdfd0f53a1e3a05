#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of ./dev that decide whether a run was a success."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUNIT = '<?xml version="1.0"?><testsuite>{}</testsuite>'
CASE = '<testcase name="{}" status="{}"/>'


def run_count(text):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "junit.xml"
        if text is not None:
            report.write_text(text, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-B", ROOT / "scripts" / "count_junit.py", report],
            capture_output=True, text=True, check=True,
        )


def count(text):
    return run_count(text).stdout.strip()


def dev(*arguments):
    return subprocess.run([ROOT / "dev", *arguments], cwd="/", stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)


class CountJunit(unittest.TestCase):
    def test_run_cases_pass_and_everything_else_fails(self):
        cases = "".join(CASE.format(name, status) for name, status in
                        [("a", "run"), ("b", "fail"), ("c", "notrun"), ("d", "disabled")])
        self.assertEqual(count(JUNIT.format(cases)), "1 3")

    def test_a_case_that_failed_is_named_with_the_end_of_its_output(self):
        printed = "\n".join(f"line {number}" for number in range(100))
        case = ('<testcase name="bad" status="fail"><system-out>' + printed +
                '</system-out></testcase>')
        told = run_count(JUNIT.format(case + CASE.format("good", "run"))).stderr
        self.assertIn("not passed: bad (fail)", told)
        self.assertIn("| line 99\n", told)
        self.assertNotIn("line 5\n", told)
        self.assertNotIn("good", told)

    def test_an_empty_selection_is_a_failure(self):
        self.assertEqual(count(JUNIT.format("")), "0 1")

    def test_a_missing_or_cut_report_is_a_failure(self):
        self.assertEqual(count(None), "0 1")
        self.assertEqual(count("<testsuite><testca"), "0 1")


class Dev(unittest.TestCase):
    def test_help_works_from_any_folder(self):
        run = dev("help")
        self.assertEqual(run.returncode, 0)
        self.assertIn("usage: ./dev COMMAND", run.stdout)

    def test_unknown_commands_and_suites_are_usage_errors(self):
        self.assertEqual(dev("frobnicate").returncode, 2)
        self.assertEqual(dev("test", "no_such_suite").returncode, 2)

    def test_every_suite_row_has_four_columns(self):
        rows = dev("suites").stdout.splitlines()
        self.assertGreaterEqual(len(rows), 3)
        for row in rows:
            self.assertEqual(row.count("|") >= 3, True, row)


if __name__ == "__main__":
    unittest.main()
