#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What a user of the library gets: installs a finished build into a folder of its own, builds client/examples against it
# in the three ways the README names, and lets each pair of programs do a task over a private redis-server.
#
#   st_install.sh SOURCE BUILD [CC [SANITIZERS]]
#
# Also checks that the shared library exports refq_* only, and that each public header compiles on its own, as C and as
# C++. A build with sanitizers is tested the same way: the examples are then built with them too.
#
# Exit: 0 passed, 1 failed, 77 skipped because a program is missing.

set -euo pipefail

readonly EX_USAGE=64
readonly SKIPPED=77

[[ $# -ge 2 ]] || {
    echo "usage: st_install.sh SOURCE BUILD [CC [SANITIZERS]]" >&2
    exit $EX_USAGE
}
source=$1
build=$2
cc=${3:-cc}
sanitizers=${4:-}
flags="-O1 -g${sanitizers:+ -fsanitize=$sanitizers -fno-omit-frame-pointer}"
redis_pid=
worker_pid=

for program in cmake redis-server redis-cli pkg-config make nm jq "$cc"; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: $program is not installed"
        exit $SKIPPED
    fi
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/refq-st.XXXXXX")
prefix=$dir/prefix

stop() {
    local pid=$1 end=$((SECONDS + 20))
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS >= end)); then
            kill -KILL "$pid" 2>/dev/null || true
        fi
        sleep 0.05
    done
    wait "$pid" 2>/dev/null
}

cleanup() {
    if [[ -n $worker_pid ]]; then stop "$worker_pid" || true; fi
    if [[ -n $redis_pid ]]; then stop "$redis_pid" || true; fi
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    printf 'FAILED: %s\n' "$1"
    if [[ -n ${2:-} && -s $2 ]]; then
        tail -n 40 "$2"
    fi
    exit 1
}

# quiet WHAT COMMAND...: its output is shown only when it fails.
quiet() {
    local what=$1
    shift
    "$@" >"$dir/log" 2>&1 </dev/null || fail "$what" "$dir/log"
    printf 'ok: %s\n' "$what"
}

wait_until() {
    local what=$1 end=$((SECONDS + 20))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            fail "waited in vain: $what" "$dir/worker.log"
        fi
        sleep 0.05
    done
}

# --- The library itself -----------------------------------------------------------------------------------------------

check_symbols() {
    local others
    # The second pattern is what sanitizers add.
    others=$(nm -D --defined-only "$prefix"/lib*/librefq.so | awk '{print $NF}' |
        grep -v -e '^refq_[a-z0-9_]*$' -e '^__\(odr_\)\{0,1\}[a-z]*san[._]' || true)
    [[ -z $others ]] || fail "librefq.so exports more than refq_*: ${others//$'\n'/ }"
    # To its end, unlike grep -q: nm would die of the closed pipe, and fail the pipeline.
    nm -D --defined-only "$prefix"/lib*/librefq.so | grep ' refq_client_open$' >/dev/null ||
        fail "librefq.so does not export refq_client_open"
    echo "ok: librefq.so exports refq_* only"
}

# The first compiler that takes C++; clang does without the C++ library, which the headers do not need.
cxx_compiler() {
    local candidate
    for candidate in c++ g++ clang++ "clang -x c++"; do
        # shellcheck disable=SC2086
        if echo 'int main() { return 0; }' | $candidate -x c++ -fsyntax-only - 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
}

check_headers() {
    local header name cxx
    cxx=$(cxx_compiler)
    for header in "$prefix"/include/refq/*.h; do
        name=refq/${header##*/}
        printf '#include <%s>\n#include <%s>\nextern int one;\n' "$name" "$name" >"$dir/one.c"
        "$cc" -std=c17 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" "$dir/one.c" \
            2>"$dir/log" || fail "$name does not compile on its own as C" "$dir/log"
        if [[ -n $cxx ]]; then
            # shellcheck disable=SC2086
            $cxx -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" "$dir/one.c" \
                2>"$dir/log" || fail "$name does not compile on its own as C++" "$dir/log"
        fi
    done
    echo "ok: each public header compiles on its own as C${cxx:+ and C++ ($cxx)}"
}

# --- The examples -----------------------------------------------------------------------------------------------------

start_redis() {
    redis-server --port 0 --unixsocket "$dir/redis.sock" --save '' --appendonly no --dir "$dir" \
        >"$dir/redis.log" 2>&1 </dev/null &
    redis_pid=$!
    wait_until "redis-server answers" redis-cli -s "$dir/redis.sock" PING
}

worker_is_there() {
    [[ $(redis-cli -s "$dir/redis.sock" ZCARD 'refq:{examples}:workers') == 1 ]]
}

# use FOLDER RESULT WORKER...: the worker and the producer in the folder do one task together.
use() {
    local at=$1 expected=$2 value
    shift 2
    "$@" >"$dir/worker.log" 2>&1 </dev/null &
    worker_pid=$!
    wait_until "the worker is registered" worker_is_there
    "$at/producer" '{"name":"world"}' >"$dir/entry" 2>"$dir/producer.log" ||
        fail "the producer failed" "$dir/producer.log"
    value=$(jq -c .value "$dir/entry") || fail "the entry is no JSON" "$dir/entry"
    [[ $value == "$expected" ]] || fail "a wrong result: $value"
    stop "$worker_pid" || fail "the worker did not stop cleanly" "$dir/worker.log"
    worker_pid=
    [[ $(redis-cli -s "$dir/redis.sock" ZCARD 'refq:{examples}:workers') == 0 ]] ||
        fail "the worker did not say goodbye"
}

use_example() {
    use "$1" '{"greeting":"hello","to":{"name":"world"},"attempt":1}' "$1/worker"
}

build_with_make() {
    local at=$1
    shift
    cp -r "$source/client/examples" "$at"
    # TSan and ASan need every program that loads the library to be built with them.
    quiet "$1" make -C "$at" CC="$cc" CFLAGS="$flags -Wall -Wextra -Werror" "${@:2}"
}

# alone FOLDER: what needs no Redis.
alone() {
    local at=$1 value
    value=$(env -u REFQ_REDIS "$at/embedded" 2>"$dir/log" | jq -c .value) || fail "embedded failed" "$dir/log"
    [[ $value == '"hello"' ]] || fail "embedded: a wrong result: $value"
    "$at/contract" --only result >"$dir/log" 2>&1 || fail "the contract failed" "$dir/log"
    grep -q '^ok 1 - result\.' "$dir/log" || fail "the contract ran no test" "$dir/log"
}

with_find_package() {
    cp -r "$source/client/examples" "$dir/cmake"
    quiet "find_package: configure" cmake -S "$dir/cmake" -B "$dir/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags -Wall -Wextra -Werror"
    quiet "find_package: build" cmake --build "$dir/cmake/build"
    use_example "$dir/cmake/build"
    alone "$dir/cmake/build"
    echo "ok: find_package: run"
}

with_pkg_config() {
    build_with_make "$dir/shared" "pkg-config: build"
    awk '/^```/ { inside = /^```c$/; next } inside' "$source/README.md" >"$dir/hello.c"
    grep -q '^int main' "$dir/hello.c" || fail "the README has no program in C"
    # shellcheck disable=SC2046,SC2086
    quiet "the program in the README compiles" "$cc" $flags -Wall -Wextra -Werror "$dir/hello.c" \
        $(pkg-config --cflags --libs refq) -o "$dir/hello"
    LD_LIBRARY_PATH=$libdir use_example "$dir/shared"
    LD_LIBRARY_PATH=$libdir alone "$dir/shared"
    echo "ok: pkg-config: run"
}

# The example as a plugin of refq-worker, once on a thread and once in a child process.
with_plugin() {
    local at=$dir/shared run
    for run in thread child; do
        printf '%s\n' 'queue: examples' 'plugins:' '  - path: ./libgreeter.so' "    run: $run" \
            '    config: {greeting: hello}' >"$at/tasks.yaml"
        LD_LIBRARY_PATH=$libdir use "$at" '{"config":{"greeting":"hello"},"to":{"name":"world"}}' \
            "$prefix/bin/refq-worker" --config "$at/tasks.yaml"
    done
    echo "ok: a plugin of refq-worker: run on a thread and in a child process"
}

with_static_library() {
    build_with_make "$dir/static" "pkg-config --static: build" STATIC=1
    if LD_LIBRARY_PATH=$libdir ldd "$dir/static/worker" | grep -q librefq; then
        fail "the static build still loads librefq.so"
    fi
    use_example "$dir/static"
    alone "$dir/static"
    echo "ok: pkg-config --static: run"
}

quiet "install" cmake --install "$build" --prefix "$prefix"
libdir=$(dirname "$(find "$prefix" -name librefq.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
export REFQ_REDIS=unix://$dir/redis.sock

check_symbols
check_headers
[[ $("$prefix/bin/refq" --version) == "refq $(pkg-config --modversion refq)" ]] ||
    fail "refq --version and refq.pc differ"
start_redis
with_find_package
with_pkg_config
with_plugin
with_static_library
