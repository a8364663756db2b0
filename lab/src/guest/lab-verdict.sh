#!/bin/sh
# Waits until systemd has no more to do, then writes the state of the mounts to the lab's port.
# In emergency mode other jobs may still be waiting for a time-out: they get some seconds, and what
# they have not become by then is reported as it is.
out=/dev/null
for port in /sys/class/virtio-ports/*; do
    read -r name < "$port/name"
    [ "$name" = lab.verdict ] && out=/dev/${port##*/}
done
state=starting
grace=20
while :; do
    if [ "$(systemctl show -P ActiveState emergency.target)" = active ]; then
        state=maintenance
        grace=$((grace - 1))
    fi
    finished=$(systemctl show -P FinishTimestampMonotonic)
    if [ "$finished" != 0 ] && [ "$finished" != '' ]; then
        state=$(systemctl is-system-running)
        case $state in running | degraded | maintenance) break ;; esac
    fi
    [ $grace -le 0 ] && break
    sleep 0.5
done
{
    echo "LAB-VERDICT $state"
    echo "uptime $(cut -d ' ' -f 1 /proc/uptime)"
    systemctl show -p KernelTimestampMonotonic -p UserspaceTimestampMonotonic -p FinishTimestampMonotonic
    echo
    systemctl show --all -p Id -p ActiveState -p SubState -p Result -p LoadState -p FragmentPath \
        -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic -p ConditionResult \
        -p StateChangeTimestampMonotonic '*.mount' '*.swap' '*.automount' '*.target' \
        'systemd-fsck*' systemd-remount-fs.service emergency.service
    echo
    echo LAB-JOBS
    systemctl list-jobs --no-legend --plain
    echo LAB-FAILED
    systemctl list-units --failed --no-legend --plain
    echo LAB-END
} > "$out" 2>&1
