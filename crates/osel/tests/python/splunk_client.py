"""Sends to a Splunk by the clients of others and prints what they found as JSON.

usage: splunk_client.py HOST PORT, by the vendor's own python-splunk-logging and by splunk-hec-ftf, which knows the raw endpoint too.
"""

import contextlib
import json
import sys
from datetime import datetime, timezone

import httpx
from splunk_hec import splunk_hec
from splunk_logging.exceptions import HecAckTimeoutError, HecBatchError
from splunk_logging.forwarders import HecForwarder

host, port = sys.argv[1], int(sys.argv[2])
WHEN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def forwarder(token, **how):
    how = {"default_host": "client", "default_source": "vendor", "default_sourcetype": "tested", **how}
    return HecForwarder(host, port, token, use_ssl=False, ack_poll_interval=0, **how)


def refused(token, events, **how):
    with forwarder(token, **how) as client:
        try:
            client.forward_events(events, eventtime=lambda _: WHEN)
        except httpx.HTTPStatusError as error:
            return [error.response.status_code, error.response.json()["code"]]
        except HecBatchError as error:
            return ["accepted", error.accepted_count]
        except HecAckTimeoutError:
            return "no acknowledgement"
    return "taken"


def ftf(kind, use_ack, events):
    with contextlib.redirect_stdout(sys.stderr):
        client = splunk_hec(
            token="with-acks" if use_ack else "plain",
            hec_server=host,
            hec_port=str(port),
            input_type=kind,
            use_hec_tls=False,
            use_ack=use_ack,
            ack_interval=0,
            max_ack_attempts=5,
        )
        client.set_request_params({"sourcetype": "lines", "source": "ftf"})
        for event in events:
            client.send_event(event)
        return client.force_flush_events()


print(
    json.dumps(
        {
            "taken": refused("plain", [{"n": 1}, {"n": 2}]),
            "acknowledged": refused("with-acks", [{"n": 3}], indexer_ack=True),
            "unacknowledged": refused("with-acks", [{"n": 4}], indexer_ack=True, ack_timeout=-1),
            "disabled": refused("off", [{"n": 5}]),
            "unknown": refused("nobody", [{"n": 6}]),
            "index": refused("plain", [{"n": 7}], default_index="forbidden"),
            "poison": refused("plain", [{"n": 8}, {"n": "poison"}, {"n": 9}]),
            "raw": ftf("raw", False, ["one\n", "two\n"]),
            "raw_acks": ftf("raw", True, ["three\n"]),
            "json_acks": ftf("json", True, [{"event": {"n": 10}, "time": 1767225600}]),
        }
    )
)
