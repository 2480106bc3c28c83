// One token: what it may do, its versions, places, use and history, and what can be done with it.

/// A token by its id, which reaches ended ones, or the active one of a name.
const found = async ({ user, name, id }, known) => known.find((token) => id && token.id === id) ?? get(id ? at("tokens", id) : tokenAt(user, name));

const STATE_WORDS = { staged: "new, not current yet", current: "current", retiring: "older" };

function timeline(token) {
  const versions = [...token.versions].sort((one, other) => other.number - one.number).map((version) => {
    const until = version.state === "retiring" && version.overlap_ends && Date.parse(version.overlap_ends) < Date.now() ? "until a run retires it" : ["until ", h("time", { datetime: version.works_until, title: exactEnd(version.works_until) }, endDay(version.works_until, shortForm))];
    return h("li", { class: version.state }, h("b", {}, `Version ${version.number}`), ` ${STATE_WORDS[version.state]}, `, token.state === "active" && Date.parse(version.works_until) > Date.now() ? ["valid ", until] : "no longer valid",
      h("div", { class: "second" }, "created ", when(version.created), version.used ? [", used ", when(version.used.last), version.used.ip ? ` from ${version.used.ip}` : ""] : ", never used", ", fingerprint ", code(version.fingerprint)));
  });
  const retired = (token.retired ?? []).map(({ number }) => number).sort((one, other) => other - one);
  if (retired.length) versions.push(h("li", { class: "second" }, `${retired.length === 1 ? "Version" : "Versions"} ${listed(retired.slice(0, 6).map(String))}${retired.length > 6 ? " and earlier" : ""} retired`));
  return versions.length ? h("ol", { class: "line" }, versions) : h("p", { class: "second" }, "No version.");
}

function delivered(token) {
  const rows = (token.places ?? []).map(({ id, place, declared, version }) => {
    const { kind, name, inside } = placeIn(place);
    const delivery = token.versions.flatMap((one) => (one.deliveries ?? []).filter((to) => to.place === id && to.delivered).map((to) => ({ number: one.number, at: to.delivered })))
      .sort((one, other) => other.number - one.number)[0];
    const state = version ? ["version ", String(version), delivery && delivery.number === version ? [", ", when(delivery.at)] : ""] : h("span", { class: "heed" }, "nothing delivered yet");
    return h("li", {}, h("b", {}, kind), " ", code(name), inside && h("span", { class: "second" }, ` in ${inside}`), h("div", { class: "second" }, state, declared ? "" : ", no longer declared"));
  });
  return rows.length ? h("ul", { class: "line" }, rows) : undefined;
}

function chart(days) {
  const today = Date.parse(isoDay(Date.now()));
  const all = Array.from({ length: 30 }, (_, index) => { const day = isoDay(today - (29 - index) * DAY); return { day, uses: days.get(day) ?? 0 }; });
  const total = all.reduce((sum, one) => sum + one.uses, 0);
  if (!total) return h("p", { class: "second" }, "No use in the last 30 days.");
  const most = Math.max(...all.map((one) => one.uses));
  return [h("p", { class: "second small" }, `${plural(total, "use")} in 30 days, at most ${most.toLocaleString("en")} a day. The last minute may be missing.`),
    s("svg", { class: "chart", viewBox: "0 0 300 96", preserveAspectRatio: "none", role: "img", "aria-label": `Uses a day: ${plural(total, "use")} in 30 days, at most ${most} a day` },
      s("line", { x1: 0, x2: 300, y1: 95.5, y2: 95.5 }),
      all.map((one, index) => { const tall = one.uses ? Math.max(2, (one.uses / most) * 92) : 0; return s("rect", { x: index * 10 + 1, y: 95 - tall, width: 8, height: tall }, s("title", {}, `${shortForm.format(Date.parse(one.day))}: ${plural(one.uses, "use")}`)); })),
    h("details", {}, h("summary", {}, "As numbers"), table([{ text: "Day" }, { text: "Uses", className: "number" }],
      all.filter((one) => one.uses).reverse().map((one) => ({ cells: [shortForm.format(Date.parse(one.day)), one.uses.toLocaleString("en")] })), { class: "", label: "Uses a day" }))];
}

async function tokenSheet(chosen, known) {
  const token = await found(chosen, known);
  const { user, name, id, state } = token;
  const active = state === "active";
  const quiet = (answer) => answer.catch((error) => { if (error instanceof Silent) throw error; });
  const [roles, usage, events] = await Promise.all([
    active ? quiet(get(tokenAt(user, name, "roles"))) : undefined,
    quiet(get(tokenAt(user, name, "usage"), { id })),
    quiet(get(tokenAt(user, name, "events"), { id, limit: 20 })),
  ]);
  const changes = active && mayChange(user);
  const staged = token.versions.find((version) => version.state === "staged");
  const edit = changes ? () => editing(token) : undefined;
  const used = lastUse(token);
  const by = token.ended_by ? [" by ", code(token.ended_by)] : "";
  const actions = changes && h("div", { class: "row" },
    h("button", { type: "button", onclick: edit }, "Edit"),
    staged && !token.managed_by ? h("button", { type: "button", class: "first", onclick: () => finishing(token, staged) }, "Finish rotation") : h("button", { type: "button", onclick: () => rotating(token) }, "Rotate"),
    h("button", { type: "button", class: "ending", onclick: () => deleting(token, roles) }, "Delete"));
  const node = (back) => h("section", { class: "sheet", "aria-labelledby": "sheet" },
    h("div", { class: "stack tight" },
      h("div", { class: "row between" }, h("h1", { class: "lower", id: "sheet", tabindex: "-1", "data-first": true }, name), h("a", { class: "button bare", href: address(...back), "aria-label": "Close and go back to the list" }, "Close")),
      h("div", { class: "row" }, active ? chips(token) : h("span", { class: "chip ends" }, state), token.managed_by && h("span", { class: "second" }, "declared by the manifest ", code(token.managed_by))),
      token.description && h("p", {}, token.description)),
    !active && h("p", { class: "ends" }, state === "deleted" ? ["Deleted ", when(token.ended_at), by, ". None of its secrets is valid; it cannot be restored."] : ["Expired ", when(expiryOf(token)), ". None of its secrets is valid."]),
    actions,
    facts([["User", code(user)], ["Id", code(id)], [active ? "Expires" : "Ended", expiryOf(token) && [when(expiryOf(token), { end: active }), `, ${active ? exactEnd(expiryOf(token)) : exact(expiryOf(token))}`]], ["Rotation", token.due && ["due ", when(token.due)]],
      ["Used", used ? [when(used.last), used.ip ? ` from ${used.ip}` : ""] : "never"], ["Allowed from", token.allowed_ips?.length ? token.allowed_ips.join(", ") : "anywhere"],
      ["Labels", token.labels && Object.entries(token.labels).map(([key, value]) => `${key}=${value}`).join(", ")], ["Created", [when(token.created), " by ", code(token.created_by)]]]),
    part("It may", roles ? [h("p", {}, `${allowedBy(roles.permissions)[0].toUpperCase()}${allowedBy(roles.permissions).slice(1)}.`), token.roles.length > 0 && h("p", { class: "second small" }, `by ${token.roles.length === 1 ? "the role" : "the roles"} ${listed(token.roles)}`)]
      : h("p", { class: "second" }, active ? "Its roles are not shown to you." : "Nothing any more.")),
    part("Versions", timeline(token)),
    delivered(token) && part("Where it is", delivered(token)),
    usage && part("Use a day", chart(byDay(usage))),
    events && part("History", events.events.length ? feed(events.events, "h3") : h("p", { class: "second" }, "Nothing this month.")));
  return { node, edit };
}

function editing(token) {
  const description = field("Description", h("input", { value: token.description ?? "", maxlength: 256, "data-first": true }));
  const name = field("Name", h("input", { value: token.name, maxlength: 64, spellcheck: "false", autocapitalize: "none" }), "Whoever refers to the token by its name has to follow.");
  const networks = field("Allowed from", h("input", { value: (token.allowed_ips ?? []).join(", "), spellcheck: "false" }), "Networks such as 192.0.2.0/24, separated by commas. Empty means anywhere.");
  const expiry = token.managed_by ? undefined : field("Expires at the end of", h("input", { type: "date", value: isoDay(Date.parse(token.expires_at) - 1) }), "UTC");
  const wrong = complaint();
  const box = dialog(`Edit ${token.name}`, form());
  function form() {
    return h("form", { onsubmit: async (event) => {
      event.preventDefault();
      wrong.hidden = true;
      const fields = { description, name, allowed_ips: networks, expires_at: expiry };
      Object.values(fields).forEach((one) => one?.refuse());
      const body = { id: token.id };
      if (description.control.value !== (token.description ?? "")) body.description = description.control.value;
      if (name.control.value !== token.name) { const fault = nameFault(name.control.value); if (fault) { name.refuse(fault); return; } body.name = name.control.value; }
      const wanted = networks.control.value.split(",").map((one) => one.trim()).filter(Boolean);
      if (wanted.join() !== (token.allowed_ips ?? []).join()) body.allowed_ips = wanted;
      if (expiry && expiry.control.value && expiry.control.value !== isoDay(Date.parse(token.expires_at) - 1)) body.expires_at = expiry.control.value;
      if (Object.keys(body).length === 1) { box.close(); return; }
      try {
        const changed = await ask("PATCH", tokenAt(token.user, token.name), { body, etag: token.revision });
        box.close();
        say(`${changed.name} is changed`);
        go(["tokens", changed.user, changed.name], Object.fromEntries(here().query), { replace: true });
      } catch (error) { refuseFields(fields, error) || complain(wrong, error.status === 412 ? new Error("somebody has changed the token meanwhile; close this and look again") : error); }
    } }, token.managed_by && h("p", { class: "heed" }, "The manifest ", code(token.managed_by), " declares this token: its next run sets the description and the rest as the manifest has them."),
      name, description, expiry, networks, wrong, h("div", { class: "row" }, h("button", { class: "first", type: "submit" }, "Save"), h("button", { type: "button", class: "bare", onclick: () => box.close() }, "Cancel")));
  }
}

/// Puts the faults that the server names beside their fields; false where it names none of these.
function refuseFields(fields, error) {
  const faults = (error.errors ?? []).map(({ pointer, detail }) => [pointer.split("/")[1], detail]).filter(([name]) => fields[name]);
  faults.forEach(([name, detail]) => fields[name].refuse(`${detail[0].toUpperCase()}${detail.slice(1)}.`));
  if (faults.length) fields[faults[0][0]].control?.focus();
  return faults.length > 0;
}
