// The API. The token is kept in this variable and nowhere else.

let session;
const HOST = new URL(document.baseURI).host;
const API = new URL("v1/", new URL(".", document.baseURI));

/// What the service refused.
class Refused extends Error {
  constructor(status, body) {
    super(body.detail ?? `the server answered ${status}`);
    Object.assign(this, { status, code: body.code ?? "", errors: body.errors ?? [], request: body.request_id, more: body });
  }
}
/// No answer. Nobody knows what became of a change.
class Silent extends Error {}

const silence = { since: undefined, told: () => {} };
let waiting = 0;
const waits = { told: () => {} };

async function send(method, path, { body, query, etag, token = session?.token } = {}) {
  const address = new URL(path, API);
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined && value !== "") address.searchParams.set(name, value);
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (etag !== undefined) headers["if-match"] = `"${etag}"`;
  const late = setTimeout(() => { waiting += 1; waits.told(waiting); }, 400);
  const limit = AbortSignal.timeout(30_000);
  try {
    const answer = await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", signal: limit });
    const text = await answer.text();
    let read = {};
    try { read = text ? JSON.parse(text) : {}; } catch { if (answer.ok) throw new Silent("the answer is not JSON"); }
    // A proxy answers for a server that is gone.
    if (answer.status >= 502 && !read.code) throw new Silent(`${HOST} answered ${answer.status}`);
    silence.since = undefined;
    silence.told();
    if (answer.ok) return read;
    throw new Refused(answer.status, read);
  } catch (error) {
    if (error instanceof Refused) throw error;
    silence.since ??= new Date();
    silence.told();
    throw new Silent(`${HOST} does not answer`);
  } finally {
    clearTimeout(late);
    if (waiting) waiting = 0;
    waits.told(waiting);
  }
}

/// The same for a session that may end meanwhile.
async function ask(method, path, given) {
  const before = session;
  try {
    return await send(method, path, given);
  } catch (error) {
    if (error instanceof Refused && error.status === 401 && before && before === session) signedOut(error.message);
    throw error;
  }
}
const get = (path, query) => ask("GET", path, { query });

/// All pages of a list, so far as they are wanted.
async function pages(path, key, query = {}, most = 1000) {
  const found = [];
  let { cursor } = query;
  do {
    const page = await get(path, { ...query, cursor });
    found.push(...page[key]);
    cursor = page.next;
  } while (cursor && found.length < most);
  Object.assign(found, { cursor, more: Boolean(cursor) });
  return found;
}

const at = (...parts) => parts.map(encodeURIComponent).join("/");
const tokenAt = (user, name, ...rest) => at("users", user, "tokens", name, ...rest);

/// Whether the one who is signed in has a permission.
function may(wanted) {
  const [resource, action] = wanted.split(":");
  return session.me.permissions.some((held) => {
    const [mine, does] = held.split(":");
    return held === "*:*" || (mine === resource && (does === "*" || does === action));
  });
}
const mayChange = (user) => may("admin:tokens") || (user === session.me.user && may("tokens:write"));
