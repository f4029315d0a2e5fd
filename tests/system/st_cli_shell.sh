#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Completion in bash and zsh, against a real server and worker, and the manual pages.
#
#   st_cli_shell.sh SOURCE BUILD
#
# Exit: 0 passed, 1 failed, 77 skipped because a program is missing.

set -euo pipefail

readonly EX_USAGE=64
readonly SKIPPED=77

[[ $# -eq 2 ]] || {
    echo "usage: st_cli_shell.sh SOURCE BUILD" >&2
    exit $EX_USAGE
}
source=$1
PATH=$2/client:$2/worker:$PATH
export PATH
redis_pid='' worker_pid=''

for program in redis-server redis-cli refq refq-worker awk; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: $program is not installed"
        exit $SKIPPED
    fi
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/refq-st.XXXXXX")

cleanup() {
    local pid
    for pid in $worker_pid $redis_pid; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# wait_until WHAT COMMAND...: 20 s at most.
wait_until() {
    local what=$1 end=$((SECONDS + 20))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "$what did not happen"
        read -rt 0.05 <> <(:) || true
    done
}

start() {
    export REFQ_REDIS=unix://$dir/redis.sock REFQ_QUEUE=docs
    printf 'queue: docs\ntasks:\n  - {name: echo, exec: [cat]}\n' >"$dir/tasks.yaml"
    redis-server --port 0 --unixsocket "$dir/redis.sock" --save '' --dir "$dir" >"$dir/redis.log" 2>&1 &
    redis_pid=$!
    wait_until "redis-server answering" redis-cli -s "$dir/redis.sock" PING
    refq-worker --config "$dir/tasks.yaml" >"$dir/worker.log" 2>&1 &
    worker_pid=$!
    wait_until "the worker starting" grep -q event=started "$dir/worker.log"
    ref=$(refq submit echo --delay 1h)
    stored=$(refq cache set --value 1)
}

# --- bash -------------------------------------------------------------------------------------------------------------

# What bash would offer at the end of a line.
offers() {
    COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
    _refq
    printf '%s\n' "${COMPREPLY[@]}"
}

expect() {
    local found
    found=$(offers "$1")
    grep -qx -- "$2" <<<"$found" || fail "bash: '$1' does not offer '$2', but: $found"
}

refuse() {
    local found
    found=$(offers "$1")
    if grep -qx -- "$2" <<<"$found"; then fail "bash: '$1' offers '$2'"; fi
}

test_bash() {
    bash -n "$source/client/completion/refq.bash"
    # shellcheck source=/dev/null
    . "$source/client/completion/refq.bash"
    expect 'refq ' submit
    expect 'refq ' dead
    expect 'refq ' help
    expect 'refq sub' submit
    refuse 'refq sub' stats
    expect 'refq help sta' stats
    expect 'refq dead ' list
    expect 'refq workers ' drain
    expect 'refq submit --la' --lane
    expect 'refq dead purge --older' --older-than
    refuse 'refq dead list --older' --older-than
    expect 'refq submit x --lane ' high
    expect 'refq list --status ' failed
    expect 'refq call ' echo
    expect 'refq call echo --reuse ' in_flight
    expect 'refq cache ' clear
    expect 'refq cache set --policy ' read_only
    expect 'refq cache ls --chil' --children
    expect 'refq cache rm ' "$stored"
    expect 'refq get ' "$stored"
    expect 'refq list -o ' json
    expect 'refq list --queue ' docs
    expect 'refq submit ' echo
    expect 'refq status ' "$ref"
    expect "refq status ${ref:0:9}" "${ref#docs:}"
    expect 'refq workers drain ' "$(refq workers | awk 'NR == 2 { print $2 }')"
    COMP_LINE='refq-worker --log-level d' COMP_POINT=25
    _refq_worker
    [[ ${COMPREPLY[*]} == debug ]] || fail "bash: refq-worker --log-level d offers '${COMPREPLY[*]}'"
    REFQ_REDIS=unix:///nonexistent/redis.sock offers 'refq list --queue ' >"$dir/none"
    [[ -z $(<"$dir/none") ]] || fail "bash: something is offered without a server"
    echo "ok: bash"
}

# --- zsh --------------------------------------------------------------------------------------------------------------

zsh_offers() {
    # shellcheck disable=SC2016
    _REFQ_SOURCED=1 zsh -fc '. "$1"; shift; _refq_candidates "$@"' zsh "$source/client/completion/_refq" "$@"
}

zsh_expect() {
    local wanted=$1 found
    shift
    found=$(zsh_offers "$@")
    grep -qx -- "$wanted" <<<"$found" || fail "zsh: '$*' does not offer '$wanted', but: $found"
}

test_zsh() {
    if ! command -v zsh >/dev/null; then
        echo "skipped: zsh is not installed"
        return
    fi
    zsh -n "$source/client/completion/_refq"
    zsh_expect submit refq ''
    zsh_expect purge refq dead ''
    zsh_expect --lane refq submit --la
    zsh_expect --older-than refq dead purge --
    zsh_expect high refq submit x --lane ''
    zsh_expect execute_only refq cache set --policy ''
    zsh_expect "$stored" refq cache rm ''
    zsh_expect docs refq list --queue ''
    zsh_expect "$ref" refq status ''
    zsh_expect debug refq-worker --log-level ''
    zsh_expect --grace refq-worker --
    echo "ok: zsh"
}

# --- Manual pages -----------------------------------------------------------------------------------------------------

test_man() {
    local page
    if ! command -v scdoc >/dev/null; then
        echo "skipped: scdoc is not installed"
        return
    fi
    for page in refq.1 refq-worker.1 refq-tasks.5; do
        scdoc <"$source/docs/man/$page.scd" >"$dir/$page" || fail "$page"
        grep -q '^\.SH NAME' "$dir/$page" || fail "$page has no NAME"
    done
    echo "ok: manual pages"
}

start
test_bash
test_zsh
test_man
