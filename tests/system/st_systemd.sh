#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The unit of deploy/systemd: systemd takes it, and its times fit those of the worker.
#
#   st_systemd.sh SOURCE_FOLDER WORKER

set -euo pipefail

readonly SKIPPED=77
source=$1 worker=$2
unit=$source/deploy/systemd/refq-worker@.service

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# seconds KEY: the number of a setting.
seconds() { sed -n "s/^$1=\([0-9]*\)$/\1/p" "$unit"; }

# The worker waits for its grace (25 s), then up to 15 s more for what it has stopped.
[[ $(seconds TimeoutStopSec) -gt 40 ]] || fail "TimeoutStopSec is not longer than a worker may take to stop"
# Half of it is how often the worker speaks; a lease of 10 s is what it may miss.
[[ $(seconds WatchdogSec) -ge 20 ]] || fail "WatchdogSec is shorter than what /livez forgives"

command -v systemd-analyze >/dev/null || exit $SKIPPED

dir=$(mktemp -d "${TMPDIR:-/tmp}/refq-systemd.XXXXXX")
trap 'rm -rf "$dir"' EXIT
grep -q '^ExecStart=/usr/bin/refq-worker ' "$unit" || fail "the unit does not start /usr/bin/refq-worker"
sed "s,^ExecStart=/usr/bin/refq-worker,ExecStart=$worker," "$unit" >"$dir/refq-worker@.service"
# A setting that systemd does not know is only a warning to it.
systemd-analyze verify --man=no "$dir/refq-worker@.service" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
[[ ! -s $dir/log ]] || fail "$(cat "$dir/log")"

# The password's lines, as the comment says.
sed -i 's/^#\(LoadCredential\|Environment\)=/\1=/' "$dir/refq-worker@.service"
grep -q '^LoadCredential=' "$dir/refq-worker@.service" || fail "no LoadCredential line to be uncommented"
systemd-analyze verify --man=no "$dir/refq-worker@.service" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
[[ ! -s $dir/log ]] || fail "$(cat "$dir/log")"
echo ok
