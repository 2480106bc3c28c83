"""A program as others write it, on the client that `openapi-python-client` makes. It prints what it was answered."""

import json
import os

from generated import AuthenticatedClient
from generated.api.create import create_token
from generated.api.list_ import list_tokens, show_token
from generated.models import CreateToken, DeclaredTerms, Place, ProblemBody, SecretShown, TokenState

client = AuthenticatedClient(base_url=os.environ["LATCHKEY_URL"], token=os.environ["LATCHKEY_TOKEN"])
parts = [["machine", "build"], ["path", "/srv/.env"], ["name", "TOKEN"]]
new = CreateToken(
    name="typed",
    roles=["reader"],
    manifest="typed",
    terms=DeclaredTerms(expires_in="90d", rotate_every="30d", overlap="1d"),
    places=[Place(kind="dotenv", parts=parts, readable=True)],
)

created = create_token.sync("ada", client=client, body=new)
assert isinstance(created, SecretShown), created
listed = list_tokens.sync("ada", client=client, state=TokenState.ACTIVE, limit=10)
read = show_token.sync("ada", "typed", client=client)
refused = create_token.sync("ada", client=client, body=CreateToken(name="typed"))
assert isinstance(refused, ProblemBody), refused
answers = {
    "created": created.token.name,
    "id": created.token.id,
    "listed": [token.name for token in listed.tokens],
    "read": read.id,
    "place": read.places[0].place.parts[0],
    "status": refused.status,
    "code": refused.code,
}
print(json.dumps(answers))
