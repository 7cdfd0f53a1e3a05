#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the suites of scripts/test_suites.sh. The last line of standard output is
# "N passed, N failed"; the exit code is 0 only if something ran and nothing failed. A suite that
# does not build, runs nothing, or skips a case counts as failed: silence is never success.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
# shellcheck source=scripts/test_suites.sh
source "$root/scripts/test_suites.sh"

passed=0
failed=0
report=()
failures=() # what did not pass, told once more at the end: logs are long, and often cut in front

trim() {
  local text="$1"
  text="${text#"${text%%[![:space:]]*}"}"
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# The ctest options that select exactly the entries of the named targets.
entries_of() {
  local joined="${1// /|}"
  printf '%s' "-R ^(($joined)/|fuzz/($joined)\$)"
}

record() { # name, passed, failed, seconds, note
  passed=$((passed + $2))
  failed=$((failed + $3))
  report+=("$(printf '%-12s %6d passed %4d failed %6d s  %s' "$1" "$2" "$3" "$4" "${5:-}")")
}

# True if this machine lets us make what the suite "host" needs.
host_permits_faults() {
  local probe="synod-probe-$$" permits=0
  [[ $EUID -eq 0 ]] || return 1
  ip netns add "$probe" || return 1
  if ip netns exec "$probe" nft list ruleset && losetup --find && strace -o /dev/null true; then
    permits=1
  fi
  ip netns del "$probe"
  [[ $permits -eq 1 ]]
} >/dev/null 2>&1

# A suite that is a command: its last line counts, and its exit code must agree with it.
run_command_suite() { # name, command
  local name="$1" start=$SECONDS log code=0 succeeded=0 broken=1 note="no result"
  local -a command=()
  read -r -a command <<<"$2"
  mkdir -p build
  log="build/suite-$name.log"
  say "$name: running $2"
  "${command[@]}" </dev/null 2>&1 | tee "$log" || code=1
  if [[ "$(tail -n 1 "$log")" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    succeeded="${BASH_REMATCH[1]}" broken="${BASH_REMATCH[2]}" note=""
    [[ $code -ne 0 && $broken -eq 0 ]] && broken=1
    [[ $succeeded -eq 0 && $broken -eq 0 ]] && broken=1
  fi
  record "$name" "$succeeded" "$broken" $((SECONDS - start)) "$note"
  [[ $broken -eq 0 ]] || failures+=("$(printf '== %s:\n' "$name" && tail -n 40 "$log")")
}

run_suite() { # name, preset, targets, selection
  local name="$1" preset="$2" targets="$3" selection="$4" start=$SECONDS
  local -a target_list=() options=()
  [[ "$targets" == all ]] || read -r -a target_list <<<"$targets"
  say "$name: building ($preset: $targets)"
  if ! build_targets "$preset" "${target_list[@]}" </dev/null; then
    record "$name" 0 1 $((SECONDS - start)) "does not build"
    failures+=("== $name: does not build")
    return
  fi
  local built=$((SECONDS - start))
  [[ "$selection" == "-" ]] && selection="$(entries_of "$targets")"
  read -r -a options <<<"$selection"
  say "$name: running"
  local junit="$root/build/$preset/junit-$name.xml" told="$root/build/$preset/failed-$name.txt"
  local counts
  rm -f "$junit"
  # ctest's own verdict is not used: it calls a skipped case a success.
  (cd "build/$preset" && ctest -j "${SYNOD_TEST_JOBS:-2}" --output-on-failure --progress \
    --output-junit "$junit" "${options[@]}" </dev/null) || true
  counts="$(python3 scripts/count_junit.py "$junit" 2>"$told")" || counts="0 1"
  [[ ! -s "$told" ]] || failures+=("$(printf '== %s:\n' "$name" && cat "$told")")
  record "$name" "${counts% *}" "${counts#* }" $((SECONDS - start)) "(build $built s)"
}

main() {
  local row name preset targets selection wanted known=" "
  for row in "${suites[@]}"; do
    IFS='|' read -r name _ <<<"$row"
    known+="$(trim "$name") "
  done
  if [[ "${1:-}" == --list ]]; then
    printf '%s\n' "${suites[@]}"
    return 0
  fi
  for wanted in "$@"; do
    [[ "$known" == *" $wanted "* ]] || die "unknown suite '$wanted'; known:$known"
  done
  require_packages
  for row in "${suites[@]}"; do
    IFS='|' read -r name preset targets selection <<<"$row"
    name="$(trim "$name")"
    [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
    if [[ "$name" == host ]] && ! host_permits_faults; then
      report+=("host         left out: no network namespaces, loop devices or ptrace for us here")
      continue
    fi
    if [[ "$(trim "$preset")" == "-" ]]; then
      run_command_suite "$name" "$(trim "$targets")"
      continue
    fi
    run_suite "$name" "$(trim "$preset")" "$(trim "$targets")" "$(trim "$selection")"
  done
  printf '\n'
  [[ ${#failures[@]} -eq 0 ]] || printf '%s\n' "${failures[@]}" ''
  printf '%s\n' "${report[@]}"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [[ $failed -eq 0 && $passed -gt 0 ]]
}

main "$@"
