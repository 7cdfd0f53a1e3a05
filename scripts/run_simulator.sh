#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The simulator as a suite: all past failing seeds, then fresh ones, at least 2,000 lives and 100
# million events. Fresh means another range for each commit; a failure prints its own command.
# The last line is "N passed, N failed".
set -uo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
simulator="$root/build/release/bin/synod-sim"

commit="$(git -C "$root" rev-parse --short=7 HEAD 2>/dev/null || echo 1)"
first=$((16#$commit * 100000 + 1))

passed=0
failed=0
judge() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
judge "$simulator" --file "$root/tests/sim/past_seeds.txt"
judge "$simulator" --ci --first "$first"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
