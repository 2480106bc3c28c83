"""A service of FastAPI whose callers present tokens of Latchkey.

    pip install fastapi uvicorn httpx
    LATCHKEY_URL=https://tokens.example.com LATCHKEY_CHECK_TOKEN=... uvicorn app:app
"""

import hashlib
import os
import time
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

KEPT_SECONDS = float(os.environ.get("CHECK_CACHE_SECONDS", "0"))
KEPT_MAX = 10_000

latchkey = httpx.AsyncClient(
    base_url=os.environ["LATCHKEY_URL"],
    headers={"Authorization": "Bearer " + os.environ["LATCHKEY_CHECK_TOKEN"]},
    timeout=5,
)
bearer = HTTPBearer(auto_error=False)
kept: dict[str, tuple[float, dict]] = {}


async def introspect(token: str, client_ip: str | None) -> dict:
    """What Latchkey says of a token, perhaps some seconds ago."""
    key = hashlib.sha256(f"{client_ip} {token}".encode()).hexdigest()
    until, found = kept.get(key, (0.0, {}))
    if time.monotonic() < until:
        return found
    form = {"token": token} | ({"client_ip": client_ip} if client_ip else {})
    try:
        answer = await latchkey.post("/v1/introspect", data=form)
        answer.raise_for_status()
    except httpx.HTTPError:
        raise HTTPException(503, "tokens cannot be checked now")
    found = answer.json()
    if found["active"] and KEPT_SECONDS > 0:
        if len(kept) >= KEPT_MAX:
            kept.clear()
        life = min(KEPT_SECONDS, found["exp"] - time.time())
        kept[key] = (time.monotonic() + life, found)
    return found


def needs(permission: str):
    """A dependency: the caller, who has this permission."""

    async def caller(
        request: Request,
        presented: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> dict:
        challenge = {"WWW-Authenticate": "Bearer"}
        if presented is None:
            raise HTTPException(401, "send a token", challenge)
        found = await introspect(presented.credentials, request.client and request.client.host)
        if not found["active"]:
            raise HTTPException(401, "the token is not valid", challenge)
        # `*` of a resource, and `*:*`, stand in the list as they were given.
        resource = permission.split(":")[0]
        if not {permission, f"{resource}:*", "*:*"} & set(found["permissions"]):
            raise HTTPException(403, f"the token lacks `{permission}`")
        return found

    return caller


app = FastAPI()


@app.get("/documents")
async def documents(caller: Annotated[dict, Depends(needs("documents:read"))]) -> dict:
    return {"documents": ["one", "two"], "for": caller["sub"]}
