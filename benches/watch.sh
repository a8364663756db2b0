#!/usr/bin/env bash
# Memory and processor time of `nofail watch` beside Prometheus's node_exporter and monit, all
# three watching the same host at the same time: 200 paused guests without disks (real libvirtd
# and QEMU, in namespaces of this script's own) and 50 mounts.
# Memory is sampled every 10 s, of each program and of the children that it has at that moment.
# nofail is let run for 90 s before: it gives its start's pages back after 60.
# Needs root and the packages libvirt-daemon-system, libvirt-clients, qemu-system-x86,
# prometheus-node-exporter, monit. Takes 5 minutes and what the guests start in.
#   benches/watch.sh [GUESTS] [SECONDS]         NOFAIL=path of a static release binary
set -euo pipefail
cd "$(dirname "$0")/.."
guests=${1:-200} seconds=${2:-180}
if [ "${INSIDE:-}" != 1 ]; then
    if [ -z "${NOFAIL:-}" ]; then
        RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --release --target x86_64-unknown-linux-gnu -p nofail
        NOFAIL=$PWD/target/x86_64-unknown-linux-gnu/release/nofail
    fi
    exec env INSIDE=1 NOFAIL="$NOFAIL" unshare --mount --net --pid --fork --kill-child --mount-proc \
        sh -c '"$@"; exit $?' sh "$0" "$guests" "$seconds"
fi
mount --make-rprivate /
ip link set lo up
for d in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run /mnt; do
    mkdir -p $d; mount -t tmpfs -o mode=755 none $d
done
mkdir -p /var/lib/libvirt/images /var/lib/libvirt/qemu /run/bench
printf 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\n' >/etc/libvirt/qemu.conf
: >/etc/libvirt/libvirtd.conf
virtlogd -d; libvirtd -d
export LIBVIRT_DEFAULT_URI=qemu:///system
for _ in $(seq 100); do virsh list >/dev/null 2>&1 && break; sleep .1; done
for n in $(seq 50); do mkdir "/mnt/$n"; mount -t tmpfs none "/mnt/$n"; done
started=0
for n in $(seq "$guests"); do
    cat >/run/bench/d.xml <<X
<domain type='qemu'><name>guest-$n</name><memory unit='MiB'>8</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='isapc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
X
    virsh -q create --paused /run/bench/d.xml >/dev/null && started=$((started + 1))
done
"$NOFAIL" watch --db /run/bench/events.db --config /dev/null & nofail=$!
prometheus-node-exporter --web.listen-address=127.0.0.1:9100 >/dev/null 2>&1 & exporter=$!
cat >/run/bench/monitrc <<M
set daemon 30
set pidfile /run/bench/monit.pid
set statefile /run/bench/monit.state
set idfile /run/bench/monit.id
check system host if loadavg (1min) > 100 then alert
M
for n in $(seq 50); do echo "check filesystem fs$n with path /mnt/$n if space usage > 95% then alert" >>/run/bench/monitrc; done
for n in $(seq "$guests"); do echo "check process guest-$n with pidfile /run/libvirt/qemu/guest-$n.pid" >>/run/bench/monitrc; done
chmod 600 /run/bench/monitrc
monit -I -c /run/bench/monitrc >/dev/null 2>&1 & monit=$!
sleep 90
ticks() { # user and system time of a process and of its waited-for children, in clock ticks
    local total=0 stat
    for p in "$@"; do
        stat=$(cut -d')' -f2- "/proc/$p/stat"); set -- $stat
        total=$((total + ${12} + ${13} + ${14} + ${15}))
    done
    echo $total
}
below() { # all descendants of a process
    local child
    for child in $(pgrep -P "$1"); do echo "$child"; below "$child"; done
}
memory() { # RSS and PSS in kB, summed over processes; those that ended meanwhile count nothing
    local p files=()
    for p in "$@"; do files+=("/proc/$p/smaps_rollup"); done
    cat "${files[@]}" 2>/dev/null | awk '/^Rss:/ {r += $2} /^Pss:/ {p += $2} END {print r + 0, p + 0}'
}
virsh=$(pgrep -P "$nofail" -f 'virsh.*event' | head -1)
declare -A from
for p in $nofail $virsh $exporter $monit; do from[$p]=$(ticks "$p"); done
samples=$((seconds / 10))
for n in $(seq "$samples"); do
    # Prometheus asks every 30 s.
    if [ $((n % 3)) = 1 ]; then curl -s http://127.0.0.1:9100/metrics >/dev/null || true; fi
    memory "$nofail" >>/run/bench/nofail
    memory $(below "$nofail") >>/run/bench/its_helpers
    memory "$exporter" >>/run/bench/node_exporter
    memory "$monit" >>/run/bench/monit
    sleep 10
done
echo "$started guests, paused; 50 mounts; $((samples * 10)) s; resident and proportional memory, MB: median, most"
for pair in "nofail:$nofail" "its_helpers:$virsh" "node_exporter:$exporter" "monit:$monit"; do
    name=${pair%%:*} p=${pair#*:}
    now=$(ticks "$p")
    column() { cut -d' ' -f"$1" "/run/bench/$name" | sort -n | awk '{v[NR] = $1} END {printf "%.1f %.1f", v[int((NR + 1) / 2)] / 1024, v[NR] / 1024}'; }
    awk -v n="$name" -v r="$(column 1)" -v q="$(column 2)" -v t=$((now - from[$p])) -v hz="$(getconf CLK_TCK)" -v s=$((samples * 10)) \
        'BEGIN {split(r, a); split(q, b); printf "%-14s resident %5.1f %5.1f   proportional %5.1f %5.1f   %.3f %% of a core\n", n, a[1], a[2], b[1], b[2], t / hz / s * 100}'
done
grep -E 'VmHWM|RssAnon|RssFile' "/proc/$nofail/status"
kill "$exporter" "$monit" "$nofail"
