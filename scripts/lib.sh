# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by ./dev and the scripts beside this file; expects `root` and the current folder there.

: "${root:?source this file from ./dev or a script that sets root}"

# Debian 12. One line for what builds, one for what tests, one for what checks.
packages=(
  g++ cmake ninja-build ccache pkg-config git
  libboost-dev libboost-system-dev libthrift-dev thrift-compiler librocksdb-dev libleveldb-dev
  libcereal-dev libspdlog-dev libtomlplusplus-dev libcli11-dev libssl-dev libabsl-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libgtest-dev libgmock-dev libbenchmark-dev libcuckoo-dev python3 python3-thrift strace
  iproute2 nftables e2fsprogs mount
  clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev shellcheck spin
)

# The compiler cache is the user's, shared by all clones; without a home it lies in this one.
if [[ -z "${CCACHE_DIR:-}" && ! -w "${HOME:-/nonexistent}" ]]; then
  export CCACHE_DIR="$root/.cache/ccache"
fi
export CCACHE_BASEDIR="$root"
export CCACHE_NOHASHDIR=1

say() { printf '== %s\n' "$*"; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 2
}

# Processors this process may really use: the affinity mask, then the cgroup's CPU quota.
jobs_max() {
  local jobs quota=max period=100000 limit
  if [[ -n "${SYNOD_JOBS:-}" ]]; then
    echo "$SYNOD_JOBS"
    return
  fi
  jobs="$(nproc)"
  if [[ -r /sys/fs/cgroup/cpu.max ]]; then
    read -r quota period </sys/fs/cgroup/cpu.max
  elif [[ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]]; then
    quota="$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)"
    period="$(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)"
  fi
  if [[ "$quota" =~ ^[0-9]+$ && "$quota" -gt 0 && "$period" -gt 0 ]]; then
    limit=$(((quota + period - 1) / period))
    ((limit < jobs)) && jobs=$limit
  fi
  echo "$jobs"
}

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    [[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" == installed ]] ||
      printf '%s\n' "$name"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null ||
    die "setup knows Debian 12; install the packages named in scripts/lib.sh by hand"
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] && return 0
  if [[ "$(id -u)" -ne 0 ]]; then
    command -v sudo >/dev/null ||
      die "not root and no sudo; as root run: apt-get install -y ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q </dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null
}

# Like setup, but silent when there is nothing to do or nobody to ask (not Debian).
require_packages() {
  if command -v dpkg-query >/dev/null; then install_packages; fi
}

configure() {
  local preset="$1"
  [[ -f "build/$preset/build.ninja" ]] && return 0
  mkdir -p build
  cmake --preset "$preset" -Wno-dev >"build/$preset.configure.log" 2>&1 || {
    cat "build/$preset.configure.log"
    return 1
  }
}

# build_targets PRESET [TARGET…]: everything if no target is named.
build_targets() {
  local preset="$1"
  shift
  configure "$preset" || return 1
  ninja -C "build/$preset" -j "$(jobs_max)" "$@"
}

# The names CMake gave to what can be built.
target_names() {
  configure "$1" || return 1
  ninja -C "build/$1" -t targets all | sed -n 's/^\([A-Za-z0-9_-]*\): phony$/\1/p' | sort -u
}

# Every C++ file of the project, NUL-separated, without anything generated.
list_cpp_files() { python3 scripts/checks/common.py; }
