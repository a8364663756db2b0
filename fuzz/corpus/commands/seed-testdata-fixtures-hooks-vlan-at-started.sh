#!/bin/bash
# Gives each guest port its VLANs. Called by libvirt: GUEST PHASE SUB-PHASE EXTRA.
# (virsh must not be called here.)

GUEST="$1"
TRUNK="10 20 30 40 110 120"

log() {
    logger -t "libvirt-hook[$1]" -- "$2"
}

set_vlans() {
    local port="$1"
    bridge vlan del vid 1 dev "$port" 2>/dev/null
    bridge vlan add vid 100 dev "$port" pvid untagged
    for vid in $TRUNK; do
        bridge vlan add vid "$vid" dev "$port"
    done
}

case "$2" in
started)
    while read -r port; do
        set_vlans "$port" && log "$GUEST" "$port: guest started, VLANs are set"
    done < <(grep -o "dev='vnet[0-9]*'" | cut -d"'" -f2)
    ;;
*)
    exit 0
    ;;
esac
