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
const listOf = (user, state, most, cursor) => pages(user === EVERYBODY ? "tokens" : at("users", user, "tokens"), "tokens", { state, cursor }, most);

/// How many tokens are looked through for a number beside a tab, and at how many the screen need not wait.
const [COUNTED, COUNTED_AT_ONCE] = [5000, 100];
/// A number of tokens, and what counts on those beyond the ones that were read at once, as long as it is on the screen.
function countOf(list, user, state) {
  const number = h("span", { class: "second" });
  const say = (count, more) => number.replaceChildren(`${count}${more ? "+" : ""}`);
  say(list.length, list.more);
  const goOn = async () => {
    let [count, cursor] = [list.length, list.cursor];
    while (cursor && number.isConnected && count < COUNTED) {
      const more = await listOf(user, state, COUNTED_AT_ONCE, cursor).catch(() => undefined);
      if (!more) return;
      [count, cursor] = [count + more.length, more.cursor];
      say(count, cursor);
    }
  };
  return { number, goOn };
}

const COLUMNS = {
  name: { text: "Name", of: (token) => `${token.user}/${token.name}`.toLowerCase() },
  used: { text: "Used", of: (token) => lastUse(token)?.last ?? "" },
  expires: { text: "Expires", of: (token) => expiryOf(token) ?? "" },
};

const labelsOf = (token) => Object.entries(token.labels ?? {}).map(([key, value]) => `${key}=${value}`);
/// What narrows the list, and an address in which nothing does.
const FILTERS = ["q", "role", "label", "expiring", "unused"];
const UNFILTERED = Object.fromEntries(FILTERS.map((name) => [name, ""]));
function narrowed(tokens, query) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [role, label, expiring, unused] = [query.get("role"), query.get("label"), Number(query.get("expiring")), Number(query.get("unused"))];
  return tokens.filter((token) => {
    const text = [token.user, token.name, token.id, token.description ?? "", token.managed_by ?? "", ...token.roles,
      ...labelsOf(token)].join(" ").toLowerCase();
    if (!words.every((word) => text.includes(word))) return false;
    if (role && !token.roles.includes(role)) return false;
    if (label && !labelsOf(token).includes(label)) return false;
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
  const labels = [...new Set([...tokens.flatMap(labelsOf), ...(now("label") ? [now("label")] : [])])].sort();
  const kept = Object.fromEntries(query);
  return h("div", { class: "filters", role: "search" }, search,
    users && select("whose", "Whose tokens", "user", [["", `Mine (${session.me.user})`], [EVERYBODY, "Everybody's"], ...users.filter((user) => user.name !== session.me.user).map((user) => [user.name, user.name])]),
    roles.length > 1 && select("role", "Role", "role", [["", "Any role"], ...roles.map((role) => [role, role])]),
    labels.length > 0 && select("label", "Label", "label", [["", "Any label"], ...labels.map((label) => [label, label])]),
    (kept.state ?? "active") === "active" && [
      select("expiring", "Expiry", "expiring", [["", "Any expiry"], ["7", "expiring within 7 days"], ["14", "expiring within 14 days"], ["30", "expiring within 30 days"]]),
      select("unused", "Use", "unused", [["", "Used or not"], ["30", "unused for 30 days"], ["60", "unused for 60 days"], ["90", "unused for 90 days"]])],
    FILTERS.some((name) => kept[name]) && h("button", { type: "button", class: "bare", onclick: () => turn(UNFILTERED) }, "Clear"));
}

/// A user, with how many active tokens there are and may be, where that may be seen.
const limitsOf = (user) => get(at("users", user)).catch((error) => { if (error instanceof Silent) throw error; });

VIEWS.tokens = async ([user, name], query) => {
  const admin = may("admin:tokens");
  const whose = query.get("user") || session.me.user;
  const state = STATES.some(([word]) => word === query.get("state")) ? query.get("state") : "active";
  const users = admin && may("admin:users") ? (await get("users")).users : undefined;
  const [lists, uses, limits] = await Promise.all([
    Promise.all(STATES.map(([word]) => listOf(whose, word, word === state ? 1000 : COUNTED_AT_ONCE))),
    state === "active" ? usesOf(whose) : new Map(),
    whose === EVERYBODY ? undefined : limitsOf(whose),
  ]);
  const tokens = lists[STATES.findIndex(([word]) => word === state)];
  const chosen = name === undefined ? undefined : { user, name, id: query.get("id") ?? undefined };
  const visible = sorted(narrowed(tokens, query), query);
  const sort = (name) => { const now = query.get("sort"); return { now: now === `${name}.up` ? "ascending" : now === `${name}.down` ? "descending" : undefined, by: () => turn({ sort: now === `${name}.up` ? `${name}.down` : `${name}.up` }) }; };
  const placed = visible.some((token) => token.places?.length);
  const heads = [{ text: "Name", sort: sort("name") }, { text: "Roles", className: "lesser" }, ...(placed ? [{ text: "Where", className: "lesser" }] : []), { text: "Used", sort: sort("used") },
    { text: state === "active" ? "Expires" : "Ended", sort: sort("expires") }, { text: "30 days", className: "lesser" }];
  const quota = limits?.limit !== undefined ? `${limits.active} of ${limits.limit}` : plural(lists[0].length, "active token");
  const head = h("div", { class: "head" }, h("div", { class: "row apart" }, heading(whose === session.me.user ? "Tokens" : whose === EVERYBODY ? "Everybody's tokens" : `Tokens of ${whose}`), h("span", { class: "count" }, whose === EVERYBODY ? "" : quota)),
    mayChange(whose === EVERYBODY ? session.me.user : whose) && h("a", { class: "button first", href: address(["new"], { user: whose === session.me.user || whose === EVERYBODY ? undefined : whose }) }, "New token"));
  const keep = (word) => address(["tokens"], { ...Object.fromEntries(query), id: undefined, state: word === "active" ? undefined : word });
  const counts = STATES.map(([word], index) => countOf(lists[index], whose, word));
  const onShown = () => counts.forEach((count) => count.goOn());
  const tabs = h("nav", { class: "tabs", "aria-label": "States" }, STATES.map(([word, text], index) => h("a", { href: keep(word), "aria-current": word === state ? "page" : undefined }, `${text} `, counts[index].number)));
  const rows = visible.map((token) => tokenRow(token, { query, uses, placed, everybody: whose === EVERYBODY, chosen: chosen && token.user === chosen.user && token.name === chosen.name }));
  const list = h("div", { class: "list" }, head, tabs, tokens.length || FILTERS.some((name) => query.get(name)) ? filters(query, tokens, users) : users && filters(query, tokens, users),
    rows.length ? table(heads, rows, { label: `${state} tokens` }) : nothing(state, tokens.length, whose),
    tokens.more && h("p", { class: "hint" }, `Only the first ${tokens.length} are shown; search by command: `, code(`provision token list --all-users --state ${state}`)));
  if (!chosen) return { title: "Tokens", node: list, onShown };
  const sheet = await tokenSheet(chosen, lists.flat());
  const back = [["tokens"], { ...Object.fromEntries(query), id: undefined }];
  return { title: chosen.name, spread: true, back, onShown, edit: sheet.edit, node: h("div", { class: "with-sheet" }, list, sheet.node(back)) };
};

function nothing(state, any, whose) {
  if (any) return h("div", { class: "empty" }, h("p", {}, "No token matches these filters."), h("button", { type: "button", onclick: () => turn(UNFILTERED) }, "Clear the filters"));
  const words = { active: "No active token yet. A token lets one program in, under a name, for a time.", expired: "No token has expired. When one does, its history stays here.", deleted: "No token was deleted. What is deleted stays here for its history; it is never valid again." };
  return h("div", { class: "empty" }, h("p", { class: "second" }, words[state]),
    state === "active" && mayChange(whose) && h("a", { class: "button first", href: "#/new" }, "Create the first token"));
}
