"""Drains a queue of notifications with oslo.messaging's own listener and an endpoint that does nothing, for a benchmark.

Called as `listener.py TRANSPORT_URL EXCHANGE COUNT`; prints how many messages a second it took, of the last 95 of 100.
"""

import sys
import threading
import time

import oslo_messaging
from oslo_config import cfg


class Endpoint:
    """Counts, and keeps the time of the first that counts and of the last."""

    def __init__(self, count):
        self.count, self.first, self.taken = count, count // 20, 0
        self.began = self.ended = 0.0
        self.is_done = threading.Event()

    def info(self, context, publisher_id, event_type, payload, metadata):
        self.taken += 1
        if self.taken == self.first:
            self.began = time.monotonic()
        if self.taken == self.count:
            self.ended = time.monotonic()
            self.is_done.set()


def main():
    url, exchange, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    conf = cfg.ConfigOpts()
    conf([], project="listener")
    oslo_messaging.set_transport_defaults(exchange)
    transport = oslo_messaging.get_notification_transport(conf, url)
    endpoint = Endpoint(count)
    targets = [oslo_messaging.Target(topic="notifications", exchange=exchange)]
    listener = oslo_messaging.get_notification_listener(transport, targets, [endpoint], executor="threading")
    listener.start()
    endpoint.is_done.wait()
    listener.stop()
    listener.wait()
    print((count - endpoint.first) / (endpoint.ended - endpoint.began))


main()
