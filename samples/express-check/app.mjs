// A service of Express whose callers present tokens of Latchkey.
//
//   npm install express
//   LATCHKEY_URL=https://tokens.example.com LATCHKEY_CHECK_TOKEN=... node app.mjs
import { createHash } from "node:crypto";
import express from "express";

const keptSeconds = Number(process.env.CHECK_CACHE_SECONDS ?? 0);
const keptMax = 10_000;
const kept = new Map();

/// What Latchkey says of a token, perhaps some seconds ago.
async function introspect(token, clientIp) {
  const key = createHash("sha256").update(`${clientIp} ${token}`).digest("hex");
  const held = kept.get(key);
  if (held && Date.now() < held.until) return held.found;
  const answer = await fetch(`${process.env.LATCHKEY_URL}/v1/introspect`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.LATCHKEY_CHECK_TOKEN}` },
    body: new URLSearchParams({ token, ...(clientIp && { client_ip: clientIp }) }),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`Latchkey answers ${answer.status}`);
  const found = await answer.json();
  if (found.active && keptSeconds > 0) {
    if (kept.size >= keptMax) kept.clear();
    kept.set(key, { found, until: Math.min(Date.now() + keptSeconds * 1000, found.exp * 1000) });
  }
  return found;
}

/// Lets through whoever has a permission; `request.caller` is who it is.
const needs = (permission) => async (request, response, next) => {
  const [, token] = /^bearer +(\S+)$/i.exec(request.get("authorization") ?? "") ?? [];
  if (!token) return response.set("www-authenticate", "Bearer").status(401).json({ error: "send a token" });
  let found;
  try {
    found = await introspect(token, request.ip);
  } catch {
    return response.status(503).json({ error: "tokens cannot be checked now" });
  }
  if (!found.active) return response.set("www-authenticate", "Bearer").status(401).json({ error: "the token is not valid" });
  // `*` of a resource, and `*:*`, stand in the list as they were given.
  const resource = permission.split(":")[0];
  if (![permission, `${resource}:*`, "*:*"].some((one) => found.permissions.includes(one))) {
    return response.status(403).json({ error: `the token lacks \`${permission}\`` });
  }
  request.caller = found;
  next();
};

const app = express();
app.get("/documents", needs("documents:read"), (request, response) => {
  response.json({ documents: ["one", "two"], for: request.caller.sub });
});
const server = app.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
