#!/usr/bin/env bash
# Runs every program below qemu.d/GUEST/PHASE/SUB-PHASE.
set -e
BASE="$(dirname "$0")"
HOOK="$BASE/qemu.d/$1/$2/$3"
if [ -f "$HOOK" ] && [ -s "$HOOK" ] && [ -x "$HOOK" ]; then
    "$HOOK" "$@"
elif [ -d "$HOOK" ]; then
    while read -r file; do
        [ -n "$file" ] && "$file" "$@"
    done <<< "$(find -L "$HOOK" -maxdepth 1 -type f -executable -print)"
fi
