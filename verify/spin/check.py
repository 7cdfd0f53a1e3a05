#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the models of this folder: a clean one must hold to its bound, a plant must be found.

Each run is one test: spin writes a search, gcc builds it, the search runs to its end. A clean
model fails on any error and if its search was cut short; a plant fails unless the search ends in
a violated assertion. The last line is "N passed, N failed".
"""
import argparse
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
DEPTH_MAX = 200_000

# (name, model, bounds)
CLEAN = [
    ("paxos/slots", "paxos", "BALLOTS=2 SLOTS=2 CRASHES=1"),
    ("paxos/crashes", "paxos", "BALLOTS=3 SLOTS=1 CRASHES=2"),
    ("paxos/ballots", "paxos", "BALLOTS=3 SLOTS=2 CRASHES=0"),
    ("damage/slot", "damage", "BALLOTS=3 SLOTS=1 DAMAGES=2"),
    ("damage/tail", "damage", "BALLOTS=3 SLOTS=2 DAMAGES=1"),
    ("configuration/crash", "configuration", "OLD_BALLOTS=2 CRASHES=1"),
    ("configuration/ballots", "configuration", "OLD_BALLOTS=3 CRASHES=0"),
    ("lease", "lease", "BALLOTS=3 RESTARTS=1 GUARD=3"),
    ("read", "read", "ROUNDS=2"),
]

# Bounds nobody waits for every day: minutes and gigabytes.
DEEP = [
    ("paxos/deep", "paxos", "BALLOTS=3 SLOTS=2 CRASHES=1"),
    ("paxos/deep-ballots", "paxos", "BALLOTS=4 SLOTS=1 CRASHES=1"),
    ("damage/deep-ballots", "damage", "BALLOTS=4 SLOTS=1 DAMAGES=2"),
    ("damage/deep-owner", "damage", "BALLOTS=3 SLOTS=2 DAMAGES=1 THIRD_OWNER=0"),
    ("configuration/deep", "configuration", "OLD_BALLOTS=3 CRASHES=1"),
    ("configuration/deep-new", "configuration", "OLD_BALLOTS=2 NEW_BALLOTS=2 CRASHES=1"),
    ("lease/deep", "lease", "BALLOTS=3 RESTARTS=2 GUARD=4"),
    ("lease/deep-owner", "lease", "BALLOTS=3 RESTARTS=1 GUARD=4 THIRD_OWNER=2"),
    ("lease/deep-heartbeats", "lease", "BALLOTS=2 RESTARTS=1 GUARD=3 HEARTBEATS=2"),
    ("read/deep", "read", "ROUNDS=4"),
]

# Plants with the smallest bounds that show them: {(model, bounds): plants}.
PLANTS = {
    ("paxos", "BALLOTS=2 SLOTS=1"): [
        "commit_past_through", "stale_through", "own_value", "no_promise_check", "promise_lost",
        "answer_before_sync", "leader_counts_itself_early", "fill_over_cut", "disk_loss",
        "restart_confirms",
    ],
    ("paxos", "BALLOTS=2 SLOTS=2 CRASHES=0"): ["snapshot_wipes"],
    ("paxos", "BALLOTS=3 SLOTS=1"): ["learn_by_ballot", "pick_low", "stamp_null"],
    ("damage", "BALLOTS=2 SLOTS=1"): [
        "unknown_as_never_had", "unpromised_answer", "tail_ignored", "promise_in_frames_only",
    ],
    ("damage", "BALLOTS=3 SLOTS=1"): ["any_known_ballot"],
    ("damage", "BALLOTS=3 SLOTS=2"): [
        "word_of_a_candidate", "word_to_an_older_process", "word_of_a_deposed_leader",
    ],
    ("configuration", "CRASHES=1"): ["round_zero_reused", "enter_not_durable"],
    ("configuration", "CRASHES=0"): ["pipeline_past_stop", "early_join", "void_slots_return"],
    ("configuration", "OLD_BALLOTS=3 CRASHES=0"): ["adopt_behind_stop"],
    ("lease", "BALLOTS=2"): [
        "lease_too_long", "lease_from_receipt", "guard_forgotten", "lease_after_transfer",
    ],
    ("lease", "BALLOTS=3"): ["token_of_any_ballot", "restart_guard_replaced"],
    ("read", "ROUNDS=2"): [
        "read_before_barrier", "read_id_reused", "read_without_quorum", "read_after_stop",
        "read_joins_open_round",
    ],
}

# Found late: worth an optimised search. For the others the compiler takes longer than the search.
LATE = {"round_zero_reused", "word_of_a_deposed_leader"}

CUT_SHORT = (
    "max search depth too small", "memory limit", "out of memory", "Search not completed",
    "hash table is full", "VECTORSZ",
)


class Run:
    def __init__(self, name, model, bounds, plant=None):
        self.name = name
        self.model = model
        self.defines = bounds.split() + (["PLANTED", f"PLANT_{plant}"] if plant else [])
        self.is_clean = plant is None
        self.optimise = "-O1" if plant is None or plant in LATE else "-O0"


def all_runs(is_deep):
    runs = [Run(*row) for row in CLEAN + (DEEP if is_deep else [])]
    for (model, bounds), plants in PLANTS.items():
        runs += [Run(f"{model}/{plant}", model, bounds, plant) for plant in plants]
    return sorted(runs, key=lambda run: run.name.split("/")[0])


def unlisted_plants():
    """Plants that a model knows and no run plants: they would never be looked for."""
    listed = {(model, plant) for (model, _), plants in PLANTS.items() for plant in plants}
    for path in sorted(HERE.glob("*.pml")):
        for plant in sorted(set(re.findall(r"PLANT_(\w+)", path.read_text()))):
            if (path.stem, plant) not in listed:
                yield f"{path.stem}/{plant}"


def build(run, folder, options):
    """None, or what went wrong."""
    defines = [f"-D{define}" for define in run.defines]
    steps = [
        ["spin", "-a", *defines, str(HERE / f"{run.model}.pml")],
        ["gcc", run.optimise, "-w", "-DSAFETY", "-DNOREDUCE", f"-DMEMLIM={options.megabytes}",
         "-o", "pan", "pan.c"],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0 or "syntax error" in done.stdout.lower():
            return f"{step[0]}: {(done.stdout + done.stderr).strip()[-400:]}"
    return None


def search(folder, options):
    command = ["nice", "-n", "5", "./pan", f"-m{DEPTH_MAX}", "-w24", "-n"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                              timeout=options.seconds)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout + done.stderr


def judge(run, output):
    """(None or what went wrong, states stored)."""
    if output is None:
        return "out of time", "?"
    states = re.search(r"^\s*(\S+) states, stored", output, re.M)
    errors = re.search(r"errors: (\d+)", output)
    if not states or not errors:
        return "no result: " + output.strip()[-400:], "?"
    count = f"{float(states.group(1)):,.0f}"
    is_found = "assertion violated" in output and errors.group(1) != "0"
    if not run.is_clean:
        return (None if is_found else "the plant was not found"), count
    for sign in CUT_SHORT:
        if sign in output:
            return f"cut short: {sign}", count
    if errors.group(1) != "0":
        return "error: " + output.split("\n", 1)[0], count
    return None, count


def execute(run, options):
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="synod-spin-") as folder:
        wrong, states = build(run, folder, options), "?"
        if wrong is None:
            wrong, states = judge(run, search(folder, options))
        if wrong is not None and options.keep:
            trails = list(pathlib.Path(folder).glob("*.trail"))
            for trail in trails:
                target = pathlib.Path(options.keep) / f"{run.name.replace('/', '-')}.trail"
                target.write_bytes(trail.read_bytes())
    verdict = "FAILED: " + wrong if wrong else ("holds" if run.is_clean else "found")
    seconds = time.monotonic() - start
    print(f"{run.name:42} {states:>12} states {seconds:6.1f} s  {verdict}", flush=True)
    return wrong is None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deep", action="store_true", help="larger bounds too: minutes, gigabytes")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="runs with such a name")
    parser.add_argument("--list", action="store_true", help="names and bounds of the runs")
    parser.add_argument("--keep", metavar="FOLDER", help="put the trail of what failed there")
    options = parser.parse_args()
    options.seconds = 1800 if options.deep else 120
    options.megabytes = 16000 if options.deep else 3000
    os.environ["LC_ALL"] = "C"

    runs = [run for run in all_runs(options.deep) if fnmatch.fnmatch(run.name, options.only)]
    if options.list:
        for run in runs:
            print(f"{run.name:42} {' '.join(run.defines)}")
        return 0
    passed = failed = 0
    for name in unlisted_plants():
        print(f"{name:42} FAILED: no run plants it")
        failed += 1
    for run in runs:
        if execute(run, options):
            passed += 1
        else:
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
