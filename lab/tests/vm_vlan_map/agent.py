# Runs inside a machine: sets up network namespaces as told, sends frames from every end and tells what arrived where.
# Reads one JSON document from the file named first, writes one to the file named second.
import ctypes, json, os, select, socket, struct, subprocess, sys, time

KIND = 0x88B5  # an EtherType for local experiments: no stack answers it
MARK = b"nofail"
libc = ctypes.CDLL(None, use_errno=True)
HERE = os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(fd):
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def inside(namespace, work):
    fd = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        enter(fd)
        return work()
    finally:
        enter(HERE)
        os.close(fd)


def tool(name, namespace, lines):
    if not lines:
        return
    ran = subprocess.run([name, "-n", namespace, "-batch", "-"], input="\n".join(lines) + "\n",
                         text=True, capture_output=True)
    if ran.returncode != 0:
        raise SystemExit(f"{name} {namespace}: {ran.stderr}\n" + "\n".join(lines))


def open_end(end):
    def work():
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        out.bind((end["device"], 0))
        if end["stack"]:
            # What the stack hands to a protocol on this device: after VLAN devices and bridges.
            into = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(KIND))
            into.bind((end["device"], KIND))
        else:
            into = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            into.bind((end["device"], 3))
            into.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        into.setblocking(False)
        return {"name": end["name"], "out": out, "in": into, "stack": end["stack"], "device": end["device"]}
    return inside("host" if end["stack"] else "ends", work)


def send(end, number, case, tags):
    frame = b"\xff" * 6 + b"\x02\x00\x00\x1a\xb0\x01"
    for tag in tags:
        frame += struct.pack("!HH", 0x8100, tag)
    frame += struct.pack("!H", KIND) + MARK + struct.pack("!IH", case, number)
    end["out"].send(frame.ljust(64, b"\0"))


def take(end, case, arrivals):
    while True:
        try:
            data, extra, _, sender = end["in"].recvmsg(2048, 256)
        except BlockingIOError:
            return
        if sender[2] in (3, 4):  # for another host; our own on the way out
            continue
        if sender[0] != end["device"]:  # it went on to a VLAN device; sockets of the first device see that too
            continue
        tags = []
        if not end["stack"]:
            for level, kind, value in extra:
                if (level, kind) == (263, 8):
                    status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", value[:20])
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        tags.append(tci & 0xFFF)
            at = 12
            while data[at:at + 2] == b"\x81\x00":
                tags.append(struct.unpack("!H", data[at + 2:at + 4])[0] & 0xFFF)
                at += 4
            if data[at:at + 2] != struct.pack("!H", KIND):
                continue
            data = data[at + 2:]
        if data[:6] != MARK:
            continue
        of, number = struct.unpack("!IH", data[6:12])
        if of == case:
            arrivals.append([number, end["name"], tags])


def settle(namespace):
    # Ports forward once the kernel has noticed their carrier.
    for _ in range(200):
        links = json.loads(subprocess.run(["bridge", "-n", namespace, "-j", "link"], capture_output=True, text=True).stdout or "[]")
        if all(link.get("state") == "forwarding" for link in links if "master" in link):
            return
        time.sleep(0.02)
    raise SystemExit("ports do not come to forward: " + json.dumps(links))


def main():
    with open(sys.argv[1]) as file:
        structures = json.load(file)
    results, case = [], 0
    for structure in structures:
        subprocess.run("ip netns del host; ip netns del ends; ip netns add host; ip netns add ends",
                       shell=True, capture_output=True)
        tool("ip", "host", structure["ip"])
        tool("ip", "ends", structure["ip_ends"])
        settle("host")
        links = json.loads(subprocess.run(["ip", "-n", "host", "-d", "-j", "link"], capture_output=True, text=True).stdout)
        promiscuous = [link["ifname"] for link in links if link.get("promiscuity", 0) > 0]
        ends = {end["name"]: open_end(end) for end in structure["ends"]}
        for one in structure["cases"]:
            case += 1
            tool("ip", "host", one["ip"])
            tool("bridge", "host", one["bridge"])
            arrivals = []
            for end in ends.values():
                take(end, case, [])
            for number, (name, tags) in enumerate(one["frames"]):
                send(ends[name], number, case, tags)
                take(ends[name], case, arrivals)
            quiet, limit = time.monotonic() + 0.05, time.monotonic() + 2
            sockets = {end["in"].fileno(): end for end in ends.values()}
            while time.monotonic() < min(quiet, limit):
                ready, _, _ = select.select(list(sockets), [], [], 0.01)
                for fd in ready:
                    before = len(arrivals)
                    take(sockets[fd], case, arrivals)
                    if len(arrivals) > before:
                        quiet = time.monotonic() + 0.05
            result = {"arrivals": arrivals, "promiscuous": promiscuous}
            if one["collect"]:
                ran = subprocess.run(["ip", "netns", "exec", "host", "/root/nofail", "collect"], capture_output=True, text=True)
                result["snapshot"] = json.loads(ran.stdout)
            results.append(result)
        for end in ends.values():
            end["in"].close()
            end["out"].close()
    with open(sys.argv[2], "w") as file:
        json.dump(results, file)


main()
