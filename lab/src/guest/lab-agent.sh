#!/bin/sh
# Runs QEMU's guest agent on the port that the lab gives it.
for port in /sys/class/virtio-ports/*; do
    read -r name < "$port/name"
    if [ "$name" = lab.agent ]; then
        exec /usr/sbin/qemu-ga --method virtio-serial --path "/dev/${port##*/}" --statedir /run
    fi
done
exit 1
