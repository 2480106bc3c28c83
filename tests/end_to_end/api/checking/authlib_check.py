"""PyPI's Authlib: introspection by HTTP Basic, as it sends it by default."""

import json
import sys
from urllib.request import urlopen

from authlib.integrations.requests_client import OAuth2Session

given = json.load(sys.stdin)
server = given["url"]
with urlopen(server + "/.well-known/oauth-authorization-server") as answer:
    metadata = json.load(answer)


def ask(secret, token):
    with OAuth2Session("my-app", secret) as session:
        return session.introspect_token(metadata["introspection_endpoint"], token=token, token_type_hint="access_token")


told = [ask(given["checker"], token).json() for token in given["tokens"]]
refused = ask(given["wrong"], given["tokens"][0])
print(json.dumps({"told": told, "refused": refused.headers["www-authenticate"].split()[0].lower()}))
