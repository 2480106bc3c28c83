// The list of tokens.

const STATES = [["active", "Active"], ["expired", "Expired"], ["deleted", "Deleted"]];
const EVERYBODY = "*";

/// The last use of a token, over its versions.
const lastUse = (token) => token.versions.map((version) => version.used).filter(Boolean).sort((one, other) => (one.last < other.last ? 1 : -1))[0];
/// When the newest version that is valid expires by itself.
const expiryOf = (token) => {
  const current = token.versions.find((version) => version.state === "current") ?? token.versions.at(-1);
  return token.ended_at ?? current?.works_until ?? token.expires_at;
};
/// Versions that are valid now; one whose overlap has ended stays on the record until a run retires it.
const valid = (token) => token.versions.filter((version) => Date.parse(version.works_until) > Date.now());
const soon = (token) => token.state === "active" && Date.parse(expiryOf(token)) - Date.now() < 7 * DAY;

function chips(token) {
  const found = [];
  if (token.state === "active") {
    if (Date.parse(expiryOf(token)) - Date.now() < 7 * DAY) found.push(h("span", { class: "chip heed" }, "expires soon"));
    if (token.due && Date.parse(token.due) < Date.now()) found.push(h("span", { class: "chip heed" }, "rotation due"));
    if (token.leaving) found.push(h("span", { class: "chip" }, "leaving"));
    if (!token.versions.length) found.push(h("span", { class: "chip" }, "no secret yet"));
    else if (valid(token).length > 1) found.push(h("span", { class: "chip" }, plural(valid(token).length, "valid version")));
  }
  return found;
}

/// Thirty days of use. The number is beside it for whoever does not see it.
function spark(days) {
  if (!days) return undefined;
  const today = Date.parse(isoDay(Date.now()));
  const uses = Array.from({ length: 30 }, (_, index) => days.get(isoDay(today - (29 - index) * DAY)) ?? 0);
  const most = Math.max(...uses);
  const total = uses.reduce((sum, one) => sum + one, 0);
  if (!total) return unseen("No use in 30 days");
  return [s("svg", { class: "spark", viewBox: "0 0 90 24", preserveAspectRatio: "none", "aria-hidden": "true" },
    uses.map((one, index) => { const tall = one ? Math.max(2, (one / most) * 22) : 0.75; return s("rect", { x: index * 3, y: 24 - tall, width: 2, height: tall }); })),
    unseen(`${plural(total, "use")} in 30 days`)];
}
const byDay = (usage) => new Map(usage.days.map((day) => [day.day, day.uses]));

async function usesOf(user) {
  if (!user || user === EVERYBODY) return new Map();
  try {
    const all = await pages(at("users", user, "usage"), "tokens", {}, 200);
    return new Map(all.map((one) => [one.id, byDay(one)]));
  } catch (error) { if (error instanceof Silent) throw error; return new Map(); }
}
const listOf = (user, state, most) => (user === EVERYBODY ? pages("tokens", "tokens", { state }, most) : pages(at("users", user, "tokens"), "tokens", { state }, most));

const COLUMNS = {
  name: { text: "Name", of: (token) => `${token.user}/${token.name}`.toLowerCase() },
  used: { text: "Used", of: (token) => lastUse(token)?.last ?? "" },
  expires: { text: "Expires", of: (token) => expiryOf(token) ?? "" },
};

function narrowed(tokens, query) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [role, expiring, unused] = [query.get("role"), Number(query.get("expiring")), Number(query.get("unused"))];
  return tokens.filter((token) => {
    const text = [token.user, token.name, token.id, token.description ?? "", token.managed_by ?? "", ...token.roles,
      ...Object.entries(token.labels ?? {}).map(([key, value]) => `${key}=${value}`)].join(" ").toLowerCase();
    if (!words.every((word) => text.includes(word))) return false;
    if (role && !token.roles.includes(role)) return false;
    if (expiring && Date.parse(expiryOf(token)) - Date.now() > expiring * DAY) return false;
    if (unused && Date.now() - Date.parse(lastUse(token)?.last ?? token.created) < unused * DAY) return false;
    return true;
  });
}
function sorted(tokens, query) {
  const [name, order] = (query.get("sort") ?? "").split(".");
  const column = COLUMNS[name];
  if (!column) return tokens;
  const by = order === "down" ? -1 : 1;
  return [...tokens].sort((one, other) => { const [a, b] = [column.of(one), column.of(other)]; return a < b ? -by : a > b ? by : 0; });
}

const places = (token) => {
  const kinds = [...new Set((token.places ?? []).map(({ place }) => kindOf(place)))];
  return kinds.length ? h("span", { class: "tags" }, kinds.map((kind) => h("span", {}, kind))) : undefined;
};
const tokenLink = (token) => address(["tokens", token.user, token.name], token.state === "active" ? {} : { id: token.id, state: token.state });

function tokenRow(token, { query, uses, chosen, everybody, placed }) {
  const used = lastUse(token);
  const ends = expiryOf(token);
  const keep = Object.fromEntries(query);
  const link = address(["tokens", token.user, token.name], { ...keep, id: token.state === "active" ? undefined : token.id });
  const name = [h("a", { class: "name", href: link, "aria-current": chosen ? "true" : undefined }, everybody ? `${token.user}/${token.name}` : token.name), " ", between(chips(token), " "),
    token.description && h("span", { class: "about" }, token.description)];
  return { cells: [name, h("span", { class: "tags" }, token.roles.map((role) => h("span", {}, role))), ...(placed ? [places(token)] : []),
    used ? h("time", { datetime: used.last, title: `${exact(used.last)}${used.ip ? ` from ${used.ip}` : ""}` }, relative(used.last)) : h("span", { class: "second" }, "never"),
    ends && (token.state === "active" ? when(ends, { end: true, class: soon(token) ? "heed" : undefined }) : when(ends)), spark(uses.get(token.id))] };
}

function filters(query, tokens, users) {
  const now = (name) => query.get(name) ?? "";
  const search = h("input", { type: "search", id: "search", "aria-label": "Search tokens", placeholder: "Search", value: now("q"), oninput: () => {
    clearTimeout(search.later);
    search.later = setTimeout(() => turn({ q: search.value }), 150);
  } });
  const select = (id, label, name, options) => h("select", { id, "aria-label": label, onchange: (event) => turn({ [name]: event.target.value }) },
    options.map(([value, word]) => h("option", { value, selected: now(name) === value }, word)));
  const roles = [...new Set(tokens.flatMap((token) => token.roles))].sort();
  const kept = Object.fromEntries(query);
  return h("div", { class: "filters", role: "search" }, search,
    users && select("whose", "Whose tokens", "user", [["", `Mine (${session.me.user})`], [EVERYBODY, "Everybody's"], ...users.filter((user) => user.name !== session.me.user).map((user) => [user.name, user.name])]),
    roles.length > 1 && select("role", "Role", "role", [["", "Any role"], ...roles.map((role) => [role, role])]),
    (kept.state ?? "active") === "active" && [
      select("expiring", "Expiry", "expiring", [["", "Any expiry"], ["7", "expiring within 7 days"], ["14", "expiring within 14 days"], ["30", "expiring within 30 days"]]),
      select("unused", "Use", "unused", [["", "Used or not"], ["30", "unused for 30 days"], ["60", "unused for 60 days"], ["90", "unused for 90 days"]])],
    ["q", "role", "expiring", "unused"].some((name) => kept[name]) && h("button", { type: "button", class: "bare", onclick: () => turn({ q: "", role: "", expiring: "", unused: "" }) }, "Clear"));
}

/// How many active tokens a user has, and may have as far as that may be known: the default is in the settings.
async function limitsOf(user) {
  const seen = (path) => get(path).catch((error) => { if (error instanceof Silent) throw error; });
  const [owner, settings] = await Promise.all([seen(at("users", user)), may("admin:settings") ? seen("settings") : undefined]);
  return owner && { ...owner, most: owner.max_tokens ?? settings?.max_tokens };
}

VIEWS.tokens = async ([user, name], query) => {
  const admin = may("admin:tokens");
  const whose = query.get("user") || session.me.user;
  const state = STATES.some(([word]) => word === query.get("state")) ? query.get("state") : "active";
  const users = admin && may("admin:users") ? (await get("users")).users : undefined;
  const [lists, uses, limits] = await Promise.all([
    Promise.all(STATES.map(([word]) => listOf(whose, word, word === state ? 1000 : 100))),
    state === "active" ? usesOf(whose) : new Map(),
    whose === EVERYBODY ? undefined : limitsOf(whose),
  ]);
  const tokens = lists[STATES.findIndex(([word]) => word === state)];
  const chosen = name === undefined ? undefined : { user, name, id: query.get("id") ?? undefined };
  const visible = sorted(narrowed(tokens, query), query);
  const count = (list) => `${list.length}${list.more ? "+" : ""}`;
  const sort = (name) => { const now = query.get("sort"); return { now: now === `${name}.up` ? "ascending" : now === `${name}.down` ? "descending" : undefined, by: () => turn({ sort: now === `${name}.up` ? `${name}.down` : `${name}.up` }) }; };
  const placed = visible.some((token) => token.places?.length);
  const heads = [{ text: "Name", sort: sort("name") }, { text: "Roles", className: "lesser" }, ...(placed ? [{ text: "Where", className: "lesser" }] : []), { text: "Used", sort: sort("used") },
    { text: state === "active" ? "Expires" : "Ended", sort: sort("expires") }, { text: "30 days", className: "lesser" }];
  const quota = limits?.most ? `${limits.active} of ${limits.most}` : plural(lists[0].length, "active token");
  const head = h("div", { class: "head" }, h("div", { class: "row apart" }, heading(whose === session.me.user ? "Tokens" : whose === EVERYBODY ? "Everybody's tokens" : `Tokens of ${whose}`), h("span", { class: "count" }, whose === EVERYBODY ? "" : quota)),
    mayChange(whose === EVERYBODY ? session.me.user : whose) && h("a", { class: "button first", href: address(["new"], { user: whose === session.me.user || whose === EVERYBODY ? undefined : whose }) }, "New token"));
  const keep = (word) => address(["tokens"], { ...Object.fromEntries(query), id: undefined, state: word === "active" ? undefined : word });
  const tabs = h("nav", { class: "tabs", "aria-label": "States" }, STATES.map(([word, text], index) => h("a", { href: keep(word), "aria-current": word === state ? "page" : undefined }, `${text} `, h("span", { class: "second" }, count(lists[index])))));
  const rows = visible.map((token) => tokenRow(token, { query, uses, placed, everybody: whose === EVERYBODY, chosen: chosen && token.user === chosen.user && token.name === chosen.name }));
  const list = h("div", { class: "list" }, head, tabs, tokens.length || query.get("q") ? filters(query, tokens, users) : users && filters(query, tokens, users),
    rows.length ? table(heads, rows, { label: `${state} tokens` }) : nothing(state, tokens.length, whose),
    tokens.more && h("p", { class: "hint" }, `Only the first ${tokens.length} are shown; search by command: `, code(`provision token list --all-users --state ${state}`)));
  if (!chosen) return { title: "Tokens", node: list };
  const sheet = await tokenSheet(chosen, lists.flat());
  const back = [["tokens"], { ...Object.fromEntries(query), id: undefined }];
  return { title: chosen.name, spread: true, back, edit: sheet.edit, node: h("div", { class: "with-sheet" }, list, sheet.node(back)) };
};

function nothing(state, any, whose) {
  if (any) return h("div", { class: "empty" }, h("p", {}, "No token matches these filters."), h("button", { type: "button", onclick: () => turn({ q: "", role: "", expiring: "", unused: "" }) }, "Clear the filters"));
  const words = { active: "No active token yet. A token lets one program in, under a name, for a time.", expired: "No token has expired. When one does, its history stays here.", deleted: "No token was deleted. What is deleted stays here for its history; it is never valid again." };
  return h("div", { class: "empty" }, h("p", { class: "second" }, words[state]),
    state === "active" && mayChange(whose) && h("a", { class: "button first", href: "#/new" }, "Create the first token"));
}
