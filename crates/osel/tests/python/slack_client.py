"""Writes to a webhook of Slack by the vendor's own client, and prints what it was answered.

usage: slack_client.py URL, with JSON on the standard input: a list of bodies, each of which is sent as it is.
"""

import json
import sys

from slack_sdk.webhook import WebhookClient

client = WebhookClient(sys.argv[1])
answers = [client.send_dict(body) for body in json.load(sys.stdin)]
print(json.dumps([[answer.status_code, answer.body] for answer in answers]))
