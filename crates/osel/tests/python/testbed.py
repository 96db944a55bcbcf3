"""Two network namespaces with a slow, lossy way between them, for a scanner in the one and hosts in the other.

    testbed.py '{"hosts": {"10.77.1.1": [22, 80]}, "loss_percent": 5, "delay_ms": [1, 50], "proxies": [], "silent": {}, "late": {}, "seed": 1}'

Needs root, `ip` and `nft`. The way is a pair of TUN devices whose packets are handed on by this process, each after a delay drawn
between the bounds (in milliseconds, for one direction); loss is by nftables' `numgen`, on the hosts' side and in both directions. A
host answers with a reset at ports that it does not listen on. `proxies` are addresses at which every port answers, as behind a SYN
proxy; `silent` are addresses that let nothing but the ports of their list through, and drop the rest; `late` are addresses that take
the fourth request for a connection alone, of every four.

Prints the name of the scanner's namespace once all is there, and ends, with everything that it made, when its standard input does.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
# The scanner's own address; the hosts' stand in the arguments.
SCANNER = "10.77.0.1"
# Where connections to proxies end up.
CATCH_ALL = 9999
PACKET_BYTES = 2048
# Packets on their way at most: more come from nobody who keeps to a rate.
PACKETS_MAX = 100_000


def run(*words, stdin=None):
    subprocess.run(words, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


def tun(name, namespace):
    """A TUN device in a namespace; what it is fed with stays with this process."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    run("ip", "link", "set", name, "netns", namespace)
    run("ip", "-n", namespace, "link", "set", name, "up")
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    return descriptor


def listen(namespace, plan):
    """In a child: accepts at all ports of all hosts, and lets go at once."""
    child = os.fork()
    if child:
        return child
    # It ends with its parent, whatever happens to that.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, signal.SIGKILL)
    with open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            os._exit(1)
    waiting = selectors.DefaultSelector()
    places = [(host, port) for hosts in (plan["hosts"], plan["silent"], plan["late"]) for host in hosts for port in hosts[host]]
    for place in places + [("0.0.0.0", CATCH_ALL)] * bool(plan["proxies"]):
        listener = socket.create_server(place, backlog=128)
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ)
    os.write(1, b"")
    os.kill(os.getppid(), signal.SIGUSR1)
    while True:
        for key, _ in waiting.select():
            try:
                key.fileobj.accept()[0].close()
            except OSError:
                pass


def rules(plan):
    """What the hosts' side drops and turns."""
    lines = ["table ip bed {"]
    for hook in "input", "output":
        lines.append(f"chain {hook} {{ type filter hook {hook} priority 0;")
        if plan["loss_percent"]:
            lines.append(f'oifname != "lo" numgen random mod 100 < {plan["loss_percent"]} drop')
        if hook == "input":
            for host in plan["late"]:
                lines.append(f"ip daddr {host} tcp flags & (syn | ack) == syn numgen inc mod 4 < 3 drop")
            for host, ports in plan["silent"].items():
                open_ports = ", ".join(str(port) for port in ports)
                if ports:
                    lines.append(f"ip daddr {host} tcp dport {{ {open_ports} }} accept")
                lines.append(f"ip daddr {host} drop")
        lines.append("}")
    lines.append("chain turn { type nat hook prerouting priority -100;")
    for host in plan["proxies"]:
        lines.append(f"ip daddr {host} tcp dport 1-65535 redirect to :{CATCH_ALL}")
    lines += ["}", "}"]
    return "\n".join(lines)


def relay(descriptors, plan):
    """Hands packets on until standard input ends."""
    chance = random.Random(plan["seed"])
    low, high = plan["delay_ms"]
    other = {descriptors[0]: descriptors[1], descriptors[1]: descriptors[0]}
    waiting = selectors.DefaultSelector()
    for descriptor in descriptors + [0]:
        waiting.register(descriptor, selectors.EVENT_READ)
    on_their_way, number = [], 0
    while True:
        now = time.monotonic()
        while on_their_way and on_their_way[0][0] <= now:
            _, _, to, packet = heapq.heappop(on_their_way)
            try:
                os.write(to, packet)
            except OSError:
                pass
        wait = max(0.0, on_their_way[0][0] - now) if on_their_way else None
        for key, _ in waiting.select(wait):
            if key.fd == 0:
                if not os.read(0, PACKET_BYTES):
                    return
                continue
            while len(on_their_way) < PACKETS_MAX:
                try:
                    packet = os.read(key.fd, PACKET_BYTES)
                except BlockingIOError:
                    break
                due = time.monotonic() + chance.uniform(low, high) / 1000
                number += 1
                heapq.heappush(on_their_way, (due, number, other[key.fd], packet))


def main():
    plan = {"hosts": {}, "proxies": [], "silent": {}, "late": {}, "loss_percent": 0, "delay_ms": [0, 0], "seed": 1}
    plan |= json.loads(sys.argv[1])
    here, there = (f"osel-{side}-{os.getpid()}" for side in ("scanner", "hosts"))
    listening = []
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        for namespace in here, there:
            run("ip", "netns", "add", namespace)
        descriptors = [tun(f"ot{os.getpid()}{side}", name) for side, name in (("a", here), ("b", there))]
        run("ip", "-n", here, "address", "add", f"{SCANNER}/32", "dev", f"ot{os.getpid()}a")
        run("ip", "-n", here, "route", "add", "10.77.0.0/16", "dev", f"ot{os.getpid()}a")
        for host in [*plan["hosts"], *plan["proxies"], *plan["silent"], *plan["late"]]:
            run("ip", "-n", there, "address", "add", f"{host}/32", "dev", f"ot{os.getpid()}b")
        run("ip", "-n", there, "route", "add", f"{SCANNER}/32", "dev", f"ot{os.getpid()}b")
        run("ip", "netns", "exec", there, "nft", "-f", "-", stdin=rules(plan))
        listening.append(listen(there, plan))
        if signal.sigtimedwait([signal.SIGUSR1], 20) is None:
            raise RuntimeError("nobody listens")
        print(here, flush=True)
        relay(descriptors, plan)
    finally:
        for child in listening:
            os.kill(child, signal.SIGKILL)
        for namespace in here, there:
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


main()
