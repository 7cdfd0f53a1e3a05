# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# The suites of `./dev test`, in the order they run. One row each:
#
#   name | preset | ninja targets ("all", or names) | which ctest entries ("-" or ctest options)
#
# A row with preset "-" has a command instead of targets; the last line of its output is
# "N passed, N failed".
#
# The suite "host" makes network namespaces and loop devices and traces processes: where the machine
# does not permit that it is left out, and the report says so.
#
# "-" runs every entry of the named targets: the entries of a GoogleTest binary are called
# <target>/<Case>, those of a fuzz target fuzz/<target>. A sanitizer suite names its targets so
# that only they are built; put a test there when it handles hostile bytes or owns raw memory
# (asan) or has more than one thread (tsan).
asan_targets="base_test server_config_test config_fuzz storage_test log_reader_fuzz core_table_test"
asan_targets+=" core_table_stress_test core_test core_stress_test operation_fuzz router_test"
asan_targets+=" net_test server_thrift_test thrift_scanner_fuzz client_unit_test"
asan_targets+=" consensus_protocol_test consensus_wire_test consensus_wire_fuzz consensus_log_test"
asan_targets+=" paxos_log_fuzz consensus_runtime_test sim_test"
asan_targets+=" peer_wire_fuzz router_machine_test replicated_test server_http_test history_test"
tsan_targets="base_test core_table_stress_test core_stress_test net_test server_thrift_test"
tsan_targets+=" server_http_test"

suites=(
  "house   | release | all           | -L ^house\$"
  "release | release | all           | -LE ^ho(use)?(st)?\$"
  "host    | release | partition_test disk_fault_test | -"
  "asan    | asan    | $asan_targets | -"
  "tsan    | tsan    | $tsan_targets | -"
  "sim     | -       | scripts/run_simulator.sh | -"
  "models  | -       | verify/spin/check.py | -"
)
