#!/usr/bin/env bash
# What libvirt's hook costs: start, parse, plan, encode, ask the kernel, log; 10 ports, tagged VLANs.
#   benches/hook.sh [PATH-OF-A-STATIC-NOFAIL]
# In a network namespace with ten ports on a bridge, with a listener where journald listens. Where
# this kernel has no VLANs on bridges, it refuses the requests: everything up to that is measured, and
# said. Beside it a process that does nothing (`true`), and the same job by a shell script with
# `bridge` and `logger`, and how many times faster nofail is. Goals: median under 3 ms; where the
# kernel has VLANs on bridges, 30 times faster than the shell. Needs root, python3, iproute2.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

if [ "${1:-}" = --inside ]; then
    nofail=$2 work=$3
    mount --make-rprivate /
    mkdir -p /run
    mount -t tmpfs -o mode=755 none /run
    mkdir -p /var/lib/nofail /run/systemd/journal
    mount -t tmpfs -o mode=755 none /var/lib/nofail
    python3 - <<'END' &
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
os.symlink("/run/systemd/journal/socket", "/run/log")
while True:
    s.recv(65536)
END
    listener=$!
    ip link add br-mgmt type bridge
    if ip link set br-mgmt type bridge vlan_filtering 1 2>/dev/null; then
        echo "this kernel has VLANs on bridges"
    else
        echo "this kernel has no VLANs on bridges: it refuses what it is asked"
    fi
    ip link set br-mgmt up
    for i in $(seq 0 9); do
        ip link add "vnet$i" type veth peer name "p$i"
        ip link set "vnet$i" master br-mgmt up
    done
    {
        echo "<domain type='kvm' id='1'><name>bind-01</name><memory unit='KiB'>4194304</memory>"
        echo "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        for i in $(seq 0 9); do
            echo "<interface type='bridge'><mac address='52:54:00:00:00:0$i'/><source bridge='br-mgmt'/>"
            echo "<target dev='vnet$i'/><model type='virtio'/><alias name='net$i'/></interface>"
        done
        echo "</devices></domain>"
    } >"$work/guest.xml"
    printf '[bridges.br-mgmt]\npvid = 100\ntagged = [10, 20, 30, 40, 110, 120]\n' >"$work/site.toml"
    cat >"$work/shell" <<'END'
#!/bin/bash
for port in $(sed -n "s/.*<target dev='\(vnet[0-9]*\)'.*/\1/p"); do
    bridge vlan add dev "$port" vid 100 pvid untagged
    for vid in 10 20 30 40 110 120; do bridge vlan add dev "$port" vid "$vid"; done
    bridge vlan del dev "$port" vid 1
    logger --socket-errors=off -u /run/systemd/journal/socket -t "libvirt-hook[$1]" "set VLANs of $port"
done 2>/dev/null
END
    chmod 755 "$work/shell"
    for _ in $(seq 50); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
    cat >"$work/time.py" <<'END'
import os, sys, time, statistics
runs, xml, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
null = os.open("/dev/null", os.O_WRONLY)
times = []
for turn in range(runs + 5):
    file = os.open(xml, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, file, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    began = time.perf_counter()
    os.waitpid(os.posix_spawn(words[0], words, os.environ, file_actions=actions), 0)
    times.append((time.perf_counter() - began) * 1e3)
    os.close(file)
times = times[5:]
times.sort()
median, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
print("%8.2f ms median  %8.2f ms p99  %8.2f ms least  %s" % (median, p99, times[0], " ".join(words)))
with open(sys.argv[0] + ".medians", "a") as kept:
    kept.write("%f\n" % median)
END
    run() {
        local runs=$1
        shift
        python3 "$work/time.py" "$runs" "$work/guest.xml" "$@"
    }
    run 200 "$nofail" hook run --site "$work/site.toml" bind-01 start begin -
    run 200 "$nofail" hook run --site "$work/site.toml" bind-01 prepare begin -
    run 200 "$nofail" hook run bind-01 stopped end -
    run 200 /bin/true
    run 20 "$work/shell" bind-01 start begin -
    awk 'NR == 1 { ours = $1 } { last = $1 } END {
        printf "%.0f times faster than the shell script; goal under 3 ms: %s\n", last / ours, ours < 3 ? "met" : "missed"
    }' "$work/time.py.medians"
    kill "$listener"
    exit
fi

nofail=${1:-}
if [ -z "$nofail" ]; then
    cd "$here"
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --release --target x86_64-unknown-linux-gnu -p nofail
    nofail=$here/target/x86_64-unknown-linux-gnu/release/nofail
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$nofail" "$work/nofail"
unshare --mount --net --pid --fork --kill-child --mount-proc "$here/benches/hook.sh" --inside "$work/nofail" "$work"
