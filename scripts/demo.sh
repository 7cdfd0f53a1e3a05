#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three replicas on this machine; the leader is killed while a client writes through another node.
# Needs build/<preset>/bin; `./dev demo` builds it. Everything lies in a folder of its own.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
bin="$root/build/release/bin"
work="$(mktemp -d "$root/build/demo.XXXXXX")"
declare -A node_pid=()

stop_all() {
  kill "${node_pid[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap stop_all EXIT

# start_node NUMBER: always the same command line, for a new node as for one that was killed.
start_node() {
  "$bin/synod-server" --config "$root/configs/cluster/node.toml" --node-id "$1" \
    --port "$((9489 + $1))" --data-dir "$work/node_$1" \
    --set cluster.peers="1=127.0.0.1:7401,2=127.0.0.1:7402,3=127.0.0.1:7403" \
    2>>"$work/node_$1.log" &
  node_pid[$1]=$!
}

node() { "$bin/synodctl" --port "$((9489 + $1))" "${@:2}"; }
now_ms() { date +%s%3N; }
leader() {
  "$bin/synodctl" --data-dir "$work/node_$1" status | awk '$1 == "leader_id" { print $2 }'
}

for number in 1 2 3; do start_node "$number"; done
until node 1 put greeting hello >/dev/null 2>&1; do sleep 0.1; done
echo "three nodes serve; greeting at node 3: $(node 3 get greeting)"

old="$(leader 1)"
other=$((old % 3 + 1))
echo "node $old leads; it is killed with kill -9 while a client writes at node $other"
# The shell would report the death of its job.
disown "${node_pid[$old]}"
kill -9 "${node_pid[$old]}"
begun="$(now_ms)"
node "$other" put greeting "hello again" >/dev/null
echo "acknowledged $(($(now_ms) - begun)) ms after the kill; node $(leader "$other") leads"

start_node "$old"
until [[ "$(node "$old" get greeting 2>/dev/null)" == "hello again" ]]; do sleep 0.1; done
echo "node $old is back with the same command line and has it, too"
sleep 1
"$bin/synodctl" --data-dir "$work/node_$old" verify
