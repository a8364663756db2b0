#!/usr/bin/env bash
# Minimal cut sets: nofail against SCRAM (Debian package scram), in the same run.
#   benches/cutsets.sh [SECONDS] [DIR...]
# Every *.xml in DIR (default: the trees that the scram package brings, and those that
# crates/analysis/examples/trees.rs makes from a seed, SEED or 1) is one tree; a file
# NAME-basic-events.xml belongs to NAME.xml. Printed for each: the number of sets, nofail's time (its
# own "seconds", from reading the file on) and peak memory, the best of SCRAM's three algorithms (its
# own "The algorithm finished in", which leaves out reading and simplifying) and that run's peak
# memory, and the ratio; then the geometric mean over the trees that take SCRAM more than 10 ms.
# SCRAM gets SECONDS (default 60) for each run. Best of three runs each, of both programs at the same
# priority, raised where that is allowed: what else runs disturbs less then.
# NOFAIL: a release build to take instead of building one.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
limit=${1:-60}
[ $# -gt 0 ] && shift
dirs=("$@")
if [ -z "${NOFAIL:-}" ]; then
    cargo build --quiet --release --manifest-path "$here/Cargo.toml" -p nofail
fi
nofail=${NOFAIL:-$here/target/release/nofail}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ${#dirs[@]} = 0 ]; then
    cargo run --quiet --release --manifest-path "$here/Cargo.toml" -p analysis --example trees \
        "$work/trees" "${SEED:-1}"
    dirs=(/usr/share/scram/input/{Baobab,Chinese,BSCU,Lift,ThreeMotor} "$work/trees")
fi
first=()
[ "$(nice -n -5 nice 2>/dev/null)" = "$(nice)" ] || first=(nice -n -5)

# peak COMMAND...: runs it under the limit, output to $work/out, peak memory in KiB to $work/peak.
peak() {
    /usr/bin/time -o "$work/peak" -f %M "${first[@]}" timeout "$limit" "$@" >"$work/out" 2>&1
}

printf '%-14s %22s %10s %8s   %10s %8s %-7s %7s\n' \
    tree 'cut sets' 'nofail s' 'MiB' 'SCRAM s' 'MiB' 'by' ratio
for dir in "${dirs[@]}"; do
    for tree in "$dir"/*.xml; do
        name=$(basename "$tree" .xml)
        case $name in *-basic-events) continue ;; esac
        grep -q '<define-fault-tree' "$tree" || continue
        files=("$tree")
        [ -e "$dir/$name-basic-events.xml" ] && files+=("$dir/$name-basic-events.xml")

        ours=- ours_peak=- sets=-
        for _ in 1 2 3; do
            peak "$nofail" cutsets --format json --fault-tree "${files[@]}" || continue
            sets=$(grep -oP '"cut_sets": \K[0-9]+' "$work/out")
            seconds=$(grep -oP '"seconds": \K[0-9.e-]+' "$work/out")
            if [ "$ours" = - ] || awk "BEGIN{exit !($seconds < $ours)}"; then
                ours=$seconds ours_peak=$(tail -1 "$work/peak")
            fi
        done

        best=- best_peak=- by=-
        for algorithm in bdd zbdd mocus; do
            for _ in 1 2 3; do
                ended=yes
                peak scram "--$algorithm" -l 1000 --verbosity 5 -o /dev/null "${files[@]}" || ended=no
                seconds=$(grep -oP 'The algorithm finished in \K[0-9.e-]+' "$work/out" | tail -1) || true
                [ -n "$seconds" ] || break
                if [ "$best" = - ] || awk "BEGIN{exit !($seconds < $best)}"; then
                    best=$seconds best_peak=$(tail -1 "$work/peak") by=$algorithm
                fi
                # A run that was stopped while it counted or wrote would be stopped again.
                [ "$ended" = yes ] || break
            done
        done

        awk -v name="$name" -v sets="$sets" -v ours="$ours" -v op="$ours_peak" \
            -v best="$best" -v bp="$best_peak" -v by="$by" -v ratios="$work/ratios" '
            BEGIN {
                ratio = "-"
                if (ours != "-" && best != "-" && best + 0 > 0) {
                    ratio = sprintf("%.2f", ours / best)
                    if (best + 0 > 0.01) print ours / best >> ratios
                }
                mib = op == "-" ? "-" : sprintf("%.0f", op / 1024)
                theirs = bp == "-" ? "-" : sprintf("%.0f", bp / 1024)
                printf "%-14s %22s %10s %8s   %10s %8s %-7s %7s\n",
                    name, sets, ours, mib, best, theirs, by, ratio
            }'
    done
done
if [ -s "$work/ratios" ]; then
    awk '{ sum += log($1); n++; if ($1 > worst) worst = $1 }
         END { printf "over 10 ms: %d trees, geometric mean %.3f, worst %.2f\n", n, exp(sum / n), worst }' \
        "$work/ratios"
else
    echo "no tree took SCRAM more than 10 ms"
fi
