"""Verifies webhooks with the library of Standard Webhooks.

Reads `{"secret": .., "requests": [{"headers": .., "body": .., "now": seconds}]}` from stdin; prints how many are good, and
fails at the first that is not.
"""

import datetime
import json
import sys

import standardwebhooks.webhooks as library


def at(seconds):
    """The library's clock, as the receiver's was: a signature is good for five minutes."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(seconds, tz)

    return Clock


asked = json.load(sys.stdin)
webhook = library.Webhook(asked["secret"])
for request in asked["requests"]:
    library.datetime = at(request["now"])
    webhook.verify(request["body"], request["headers"])
print(len(asked["requests"]))
