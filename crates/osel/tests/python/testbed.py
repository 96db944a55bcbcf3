"""Two network namespaces with a slow, lossy way between them, for a scanner in the one and hosts in the other.

    testbed.py '{"hosts": {"10.77.1.1": [22, 80]}, "loss_percent": 5, "delay_ms": [1, 50], "proxies": [], "silent": {}, "late": {}, "pauses": [], "seed": 1}'

Needs root, `ip` and `nft`. The way is a pair of TUN devices whose packets are handed on by this process, each after a delay drawn
between the bounds (in milliseconds, for one direction); loss is by nftables' `numgen`, on the hosts' side and in both directions. A
host answers with a reset at ports that it does not listen on. `proxies` are addresses at which every port answers, as behind a SYN
proxy; `silent` are addresses that let nothing but the ports of their list through, and drop the rest; `late` are addresses that take
the fourth request for a connection alone, of every four. `pauses` is a list of `[what, at, seconds]`, counted from the first packet:
what is `hold` (nothing is handed on, and all of it afterwards), `drop` (nothing is handed on at all) or `stop` (all processes in the
scanner's namespace are stopped). With `"ethernet": true` the way is a pair of Ethernet devices with a router at its other end, as scanners
need it that write packets of their own; the kernel hands on, so that nothing is delayed and nothing pauses.

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
# The way out of the scanner's namespace, where the way is Ethernet.
ROUTER = "10.77.0.2"
# Where connections to proxies end up.
CATCH_ALL = 9999
PACKET_BYTES = 2048
# Packets on their way at most: more come from nobody who keeps to a rate.
PACKETS_MAX = 100_000
# What a device keeps for this process while that has no processor, or holds: the usual 500 are the packets of one second.
QUEUE_PACKETS = 20_000


def run(*words, stdin=None):
    subprocess.run(words, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


def tun(name, namespace):
    """A TUN device in a namespace; what it is fed with stays with this process."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    run("ip", "link", "set", name, "netns", namespace)
    run("ip", "-n", namespace, "link", "set", name, "txqueuelen", str(QUEUE_PACKETS), "up")
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    return descriptor


def ethernet(here, near, there, far):
    """A pair of Ethernet devices between two namespaces."""
    run("ip", "-n", here, "link", "add", near, "type", "veth", "peer", "name", far, "netns", there)
    for name, namespace in (near, here), (far, there):
        run("ip", "-n", namespace, "link", "set", name, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")


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
        listener = socket.create_server(place, backlog=1024)
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
    # Without proxies nothing is tracked: a table of connections can be full, and then drops.
    if plan["proxies"]:
        lines.append("chain turn { type nat hook prerouting priority -100;")
        for host in plan["proxies"]:
            lines.append(f"ip daddr {host} tcp dport 1-65535 redirect to :{CATCH_ALL}")
        lines.append("}")
    lines.append("}")
    return "\n".join(lines)


def signal_all(namespace, number):
    """Signals all processes of a namespace; one may have ended meanwhile."""
    listed = subprocess.run(["ip", "netns", "pids", namespace], text=True, check=True, stdout=subprocess.PIPE).stdout
    for process in listed.split():
        try:
            os.kill(int(process), number)
        except ProcessLookupError:
            pass


class Pauses:
    """What stands still, and until when."""

    def __init__(self, plan, scanner):
        self.coming = sorted(plan["pauses"], key=lambda pause: pause[1])
        self.scanner = scanner
        self.start = self.until = self.what = None

    def now(self):
        """What stands still now: `hold`, `drop`, `stop` or nothing."""
        now = time.monotonic()
        if self.what and now >= self.until:
            if self.what == "stop":
                signal_all(self.scanner, signal.SIGCONT)
            self.what = None
        if self.what is None and self.start is not None and self.coming and now >= self.start + self.coming[0][1]:
            self.what, _, seconds = self.coming.pop(0)
            if self.what == "stop":
                signal_all(self.scanner, signal.SIGSTOP)
            self.until = time.monotonic() + seconds
        return self.what

    def wait(self):
        """Seconds until that changes, if it will."""
        if self.what:
            return max(0.0, self.until - time.monotonic())
        if self.start is not None and self.coming:
            return max(0.0, self.start + self.coming[0][1] - time.monotonic())
        return None

    def packet(self):
        if self.start is None:
            self.start = time.monotonic()


def relay(descriptors, plan, pauses):
    """Hands packets on until standard input ends."""
    chance = random.Random(plan["seed"])
    low, high = plan["delay_ms"]
    other = {descriptors[0]: descriptors[1], descriptors[1]: descriptors[0]}
    waiting = selectors.DefaultSelector()
    for descriptor in descriptors + [0]:
        waiting.register(descriptor, selectors.EVENT_READ)
    on_their_way, number = [], 0
    while True:
        what = pauses.now()
        now = time.monotonic()
        while what != "hold" and on_their_way and on_their_way[0][0] <= now:
            _, _, to, packet = heapq.heappop(on_their_way)
            try:
                if what != "drop":
                    os.write(to, packet)
            except OSError:
                pass
        waits = [max(0.0, on_their_way[0][0] - now)] if on_their_way and what != "hold" else []
        waits += [wait for wait in [pauses.wait()] if wait is not None]
        for key, _ in waiting.select(min(waits, default=None)):
            if key.fd == 0:
                if not os.read(0, PACKET_BYTES):
                    return
                continue
            while len(on_their_way) < PACKETS_MAX:
                try:
                    packet = os.read(key.fd, PACKET_BYTES)
                except BlockingIOError:
                    break
                pauses.packet()
                due = time.monotonic() + chance.uniform(low, high) / 1000
                number += 1
                heapq.heappush(on_their_way, (due, number, other[key.fd], packet))


def main():
    plan = {"hosts": {}, "proxies": [], "silent": {}, "late": {}, "loss_percent": 0, "delay_ms": [0, 0], "pauses": [], "seed": 1}
    plan["ethernet"] = False
    plan |= json.loads(sys.argv[1])
    here, there = (f"osel-{side}-{os.getpid()}" for side in ("scanner", "hosts"))
    listening = []
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        for namespace in here, there:
            run("ip", "netns", "add", namespace)
        near, far = (f"ot{os.getpid()}{side}" for side in "ab")
        if plan["ethernet"]:
            ethernet(here, near, there, far)
        else:
            descriptors = [tun(name, namespace) for name, namespace in ((near, here), (far, there))]
        run("ip", "-n", here, "address", "add", f"{SCANNER}/32", "dev", near)
        run("ip", "-n", here, "route", "add", "10.77.0.0/16", "dev", near)
        routers = [ROUTER] * bool(plan["ethernet"])
        for host in [*plan["hosts"], *plan["proxies"], *plan["silent"], *plan["late"], *routers]:
            run("ip", "-n", there, "address", "add", f"{host}/32", "dev", far)
        run("ip", "-n", there, "route", "add", f"{SCANNER}/32", "dev", far)
        for router in routers:
            run("ip", "-n", here, "route", "add", "default", "via", router)
        run("ip", "netns", "exec", there, "nft", "-f", "-", stdin=rules(plan))
        listening.append(listen(there, plan))
        if signal.sigtimedwait([signal.SIGUSR1], 20) is None:
            raise RuntimeError("nobody listens")
        print(here, flush=True)
        if plan["ethernet"]:
            sys.stdin.read()
        else:
            relay(descriptors, plan, Pauses(plan, here))
    finally:
        for child in listening:
            os.kill(child, signal.SIGKILL)
        for namespace in here, there:
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


main()
