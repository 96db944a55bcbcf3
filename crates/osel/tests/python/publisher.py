"""Publishes notifications as an OpenStack service does: oslo.messaging's own notifier with a configuration file.

Called by the tests as `publisher.py CONFIGURATION PUBLISHER_ID`. Each line of standard input is an order, a JSON object; each line of
standard output its answer, with the ids of the notifications that the broker confirmed and of those that the notifier gave up.
"""

import json
import logging
import sys

import oslo_messaging
from oslo_config import cfg
from oslo_context.context import RequestContext


class Failures(logging.Handler):
    """The notifier tells nobody but the log that it gave up."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.texts = []

    def emit(self, record):
        self.texts.append(str(record.exc_info[1] if record.exc_info else record.getMessage()))


class Flat(oslo_messaging.NoOpSerializer):
    """Makes a dictionary of the context, as the serializers of the services do."""

    def serialize_context(self, context):
        return context.to_dict() if hasattr(context, "to_dict") else context


def watch(notifier):
    """Notes the id of each notification, which the notifier makes and keeps to itself."""
    ids = []

    def wrap(notify):
        def wrapped(context, message, *rest):
            if message["message_id"] not in ids:
                ids.append(message["message_id"])
            return notify(context, message, *rest)

        return wrapped

    for extension in notifier._driver_mgr.extensions:
        extension.obj.notify = wrap(extension.obj.notify)
    return ids


def main():
    configuration, publisher_id = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    failures = Failures()
    logging.getLogger("oslo_messaging.notify").addHandler(failures)
    conf = cfg.ConfigOpts()
    conf([], project="publisher", default_config_files=[configuration])
    oslo_messaging.set_transport_defaults("openstack")
    transport = oslo_messaging.get_notification_transport(conf)
    notifier = oslo_messaging.Notifier(transport, publisher_id, serializer=Flat())
    ids = watch(notifier)
    for line in sys.stdin:
        order = json.loads(line)
        context = order["context"]
        context = {} if context is None else RequestContext.from_dict(context)
        notify = getattr(notifier, order["priority"])
        answer = {"confirmed": [], "failed": [], "errors": []}
        for index in range(order["count"]):
            payload = order["payload"]
            if order["number_from"] is not None:
                payload = dict(payload, number=order["number_from"] + index)
            ids.clear()
            failures.texts.clear()
            notify(context, order["event_type"], payload)
            answer["failed" if failures.texts else "confirmed"] += ids
            answer["errors"] += failures.texts
        print(json.dumps(answer), flush=True)


main()
