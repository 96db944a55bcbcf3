"""Verifies requests of a webhook by Standard Webhooks' own library, and prints for each what it says.

usage: webhook_verify.py, with JSON on the standard input: a list of [secret, body, headers].
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verified(secret, body, headers):
    try:
        return Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        return str(error)


print(json.dumps([verified(*request) for request in json.load(sys.stdin)]))
