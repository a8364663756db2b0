#!/usr/bin/env bash
# Five million events in the recorder: how long does `nofail events` take for one guest and a span
# of time? Builds with the release profile. Takes some 2 GB of disk for the time of the run.
#   benches/events.sh [EVENTS]        NOFAIL, FILL: programs that are built already
set -euo pipefail
cd "$(dirname "$0")/.."
events=${1:-5000000}
if [ -z "${NOFAIL:-}" ]; then
    cargo build --quiet --release -p nofail
    NOFAIL=$PWD/target/release/nofail
fi
if [ -z "${FILL:-}" ]; then
    cargo build --quiet --release -p watch --example fill
    FILL=$PWD/target/release/examples/fill
fi
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/nofail-events.XXXXXX")
trap 'rm -rf "$dir"' EXIT
time "$FILL" "$dir/events.db" "$events"
du -h "$dir/events.db"
ask() {
    local label=$1; shift
    # Nine runs of the whole command, process start included; the median.
    local times=()
    for _ in 1 2 3 4 5 6 7 8 9; do
        local from to
        from=$(date +%s%N); "$NOFAIL" events --db "$dir/events.db" "$@" >"$dir/out"; to=$(date +%s%N)
        times+=($(((to - from) / 1000)))
    done
    printf '%-55s %8s us median, %s lines\n' "$label" "$(printf '%s\n' "${times[@]}" | sort -n | sed -n 5p)" "$(wc -l <"$dir/out")"
}
ask "one guest, one day"                --guest guest-017 --since 2026-03-01T00:00:00Z --until 2026-03-02T00:00:00Z
ask "one guest, one day, one area"      --guest guest-017 --kind guest --since 2026-03-01T00:00:00Z --until 2026-03-02T00:00:00Z
ask "the last 100 of one guest"         --guest guest-017
ask "the last 100"
ask "mounts not responding in one week" --kind mount.not-responding --since 2026-03-01T00:00:00Z --until 2026-03-08T00:00:00Z
