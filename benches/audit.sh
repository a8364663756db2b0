#!/usr/bin/env bash
# What an audit costs, beside the tools that look at the same files, in the same run.
#   benches/audit.sh [HOSTS]
# One host of 500 guests, 60 fstab lines and 1,000 bridge ports (`cargo xtask bench-hosts`), read
# from its snapshot and from its tree; beside it `findmnt --verify` on the same fstab and `virsh list
# --all` of a real libvirtd that loaded the same definitions. Then HOSTS (default 1,000; 0: none;
# some 1.8 MB of temporary files each) such hosts as one site. Goals: one host under 50 ms and
# 40 MB, 1,000 under 10 s on two cores. The daemon runs in namespaces of its own, on empty file
# systems over its directories, and ends with them. Needs root, hyperfine, time, libvirt.
# NOFAIL: a release build to take instead of building one.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# Inside the namespaces: libvirtd with the definitions, then every measurement.
if [ "${1:-}" = --inside ]; then
    work=$2 nofail=$3
    mount --make-rprivate /
    ip link set lo up
    for directory in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run; do
        mkdir -p "$directory"
        mount -t tmpfs -o mode=755 none "$directory"
    done
    mkdir -p /etc/libvirt/qemu /var/lib/libvirt/images
    # Without the autostart links: nothing shall start.
    cp "$work"/root/etc/libvirt/qemu/*.xml /etc/libvirt/qemu/
    printf 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\n' >/etc/libvirt/qemu.conf
    : >/etc/libvirt/libvirtd.conf
    export LIBVIRT_DEFAULT_URI=qemu:///system LC_ALL=C.UTF-8
    virtlogd -d
    libvirtd -d
    for _ in $(seq 300); do
        loaded=$(virsh list --all --name 2>/dev/null | grep -c . || true)
        [ "$loaded" = 500 ] && break
        sleep 0.2
    done
    [ "$loaded" = 500 ] || { echo "libvirtd loaded $loaded of 500 definitions"; exit 1; }

    measure() {
        local name=$1
        shift
        hyperfine -N -i --style none --warmup 3 --runs 20 --export-json "$work/times" "$*" >/dev/null 2>&1
        /usr/bin/time -o "$work/memory" -f %M "$@" >/dev/null 2>&1 || true
        # `nofail` ends with 1 where it finds something, and time says so in a line of its own.
        python3 - "$name" "$work" <<'PY'
import json, sys
name, work = sys.argv[1:]
result = json.load(open(f"{work}/times"))["results"][0]
peak = int(open(f"{work}/memory").read().split()[-1]) / 1024
ms = lambda key: result[key] * 1000
print(f"{name:44} {ms('median'):8.1f} {ms('min'):8.1f} {ms('user') + ms('system'):8.1f} {peak:8.1f}")
PY
    }
    printf '%-44s %8s %8s %8s %8s\n' '' 'median' 'best' 'CPU ms' 'MiB'
    measure 'nofail audit --snapshot (1,000 ports)' "$nofail" audit --snapshot "$work/host.json"
    measure 'nofail audit --root (the tree)' "$nofail" audit --root "$work/root"
    measure 'findmnt --verify --tab-file (the fstab)' findmnt --verify --tab-file "$work/root/etc/fstab"
    measure 'virsh list --all (the definitions)' virsh list --all
    exit 0
fi

hosts=${1:-1000}
if [ -z "${NOFAIL:-}" ]; then
    cargo build --quiet --release --manifest-path "$here/Cargo.toml" -p nofail
fi
cargo build --quiet --manifest-path "$here/Cargo.toml" -p xtask
nofail=${NOFAIL:-$here/target/release/nofail}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/target/debug/xtask" bench-hosts "$work" --hosts "$hosts"
timeout --kill-after=5 300 unshare --mount --net --pid --fork --kill-child --mount-proc \
    bash "$0" --inside "$work" "$nofail"
[ "$hosts" = 0 ] && exit 0
/usr/bin/time -o "$work/memory" -f '%e s, %U s user, %S s system, %M KiB' \
    "$nofail" audit --format json --site "$work/site.toml" >"$work/out" || true
echo "nofail audit --site, $hosts such hosts, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg): $(tail -1 "$work/memory")"
echo "hosts audited: $(python3 -c 'import json,sys; print(len(json.load(open(sys.argv[1]))["hosts"]))' "$work/out")"
