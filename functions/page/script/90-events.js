// Events as a feed of sentences, and the settings.

function feed(events, heading = "h2") {
  const days = new Map();
  for (const event of events) { const day = isoDay(Date.parse(event.at)); days.set(day, [...(days.get(day) ?? []), event]); }
  return h("div", { class: "feed" }, [...days].map(([day, inside]) => h("section", {}, h(heading, {}, dayForm.format(Date.parse(day))),
    h("ul", {}, inside.map((event) => h("li", {}, h("time", { datetime: event.at, title: exact(event.at) }, timeForm.format(Date.parse(event.at))), h("span", {}, sentence(event))))))));
}

const GROUPS = [["", "All kinds"], ["token.", "Tokens"], ["version.", "Versions"], ["user.", "Users"], ["role.", "Roles"], ["manifest.", "Manifests"], ["refused", "Refusals"]];

VIEWS.events = async (_, query) => {
  const all = may("admin:audit");
  const user = query.get("user") ?? (all ? "" : session.me.user);
  const month = query.get("month") || isoDay(Date.now()).slice(0, 7);
  const names = all && may("admin:users") ? (await get("users")).users.map((one) => one.name) : [];
  let events;
  if (all) {
    events = user === EVERYBODY ? (await Promise.all(["", ...names].map((one) => pages("events", "events", { user: one, month, limit: 100 }, 100)))).flat().sort((one, other) => (one.at < other.at ? 1 : -1))
      : await pages("events", "events", { user, month, limit: 200 }, 400);
  } else {
    // Without the right to read all, the history of one's own tokens.
    const own = (await Promise.all(["active", "deleted", "expired"].map((state) => listOf(user, state, 50)))).flat();
    events = (await Promise.all(own.slice(0, 50).map((token) => pages(tokenAt(user, token.name, "events"), "events", { id: token.id, month, limit: 50 }, 50)))).flat().sort((one, other) => (one.at < other.at ? 1 : -1));
  }
  const [word, kind] = [(query.get("q") ?? "").toLowerCase(), query.get("kind") ?? ""];
  const visible = events.filter((event) => event.action.startsWith(kind) && [event.actor, event.user, event.token ?? "", event.detail ?? "", event.id ?? "", event.from ?? ""].join(" ").toLowerCase().includes(word));
  const months = Array.from({ length: 13 }, (_, index) => { const now = new Date(); const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - index, 1)); return [isoDay(first).slice(0, 7), new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }).format(first)]; });
  const select = (id, label, name, now, options) => h("select", { id, "aria-label": label, onchange: (event) => turn({ [name]: event.target.value }) }, options.map(([value, text]) => h("option", { value, selected: value === now }, text)));
  return { title: "Events", node: h("div", {}, h("div", { class: "head" }, heading(all ? "Events" : "What happened with your tokens")),
    h("div", { class: "filters", role: "search" }, searchBox(query, "events"), all && select("whose", "Whose events", "user", user, [["", "Roles, manifests and settings"], [EVERYBODY, "Everything"], ...names.map((name) => [name, name])]),
      select("kind", "Kind", "kind", kind, GROUPS), select("month", "Month", "month", month, months)),
    visible.length ? feed(visible) : h("div", { class: "empty" }, h("p", { class: "second" }, events.length ? "No event matches these filters." : "Nothing happened in this month. Every change is written down here with who, when and from where."))) };
};

VIEWS.settings = async () => {
  const held = await get("settings");
  const text = (label, key, hint, type = "text") => [key, field(label, h("input", { type, value: held[key] ?? "", spellcheck: "false", autocapitalize: "none" }), hint)];
  const fields = Object.fromEntries([text("Prefix of new secrets", "prefix", "What they start with had before stays valid."), text("Active tokens of a user, at most", "max_tokens", "For users without a limit of their own.", "number"),
    text("Life of a token without an expiry", "expiry_default", "For instance 31d."), text("Longest life of a token", "expiry_max", "For instance 365d. Tokens that exist keep theirs."), text("Longest name of a token", "name_max", "At most 64.", "number")]);
  const wrong = complaint();
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    Object.values(fields).forEach((one) => one.refuse());
    const body = {};
    for (const [key, one] of Object.entries(fields)) if (one.control.value !== String(held[key] ?? "")) body[key] = one.control.type === "number" ? Number(one.control.value) : one.control.value.trim();
    if (!Object.keys(body).length) { say("Nothing is changed"); return; }
    try { await ask("PATCH", "settings", { body, etag: held.revision }); say("The settings are saved"); await draw(); } catch (error) { refuseFields(fields, error) || complain(wrong, error); }
  } }, Object.values(fields), wrong, h("div", { class: "row" }, h("button", { type: "submit", class: "first" }, "Save")));
  const receivers = Object.entries(held.receivers ?? {});
  return { title: "Settings", node: h("div", { class: "stack wide" }, heading("Settings"), form,
    h("section", { class: "part" }, h("h2", {}, "Receivers of notices"), h("p", { class: "second" }, held.notices ? "Notices of changes are sent to these receivers." : "Notices are off."),
      receivers.map(([name, settings]) => h("div", { class: "stack tight" }, h("h3", {}, name), h("pre", { class: "lines mono" }, settings))),
      h("p", { class: "hint" }, "They are set by command, as their addresses are credentials: ", code("provision settings set notify.ops '{ type = \"slack\", url = { env = \"SLACK_WEBHOOK_URL\" } }'"), "."))) };
};

draw();
