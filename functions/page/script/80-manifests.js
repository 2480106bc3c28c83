// Manifests, for admins: what needs eyes first, and a grid of tokens and sinks.

/// What needs eyes in a manifest of the list, in words.
function heeds(manifest) {
  const found = [];
  if (manifest.job?.failed) found.push(`${plural(manifest.job.failed, "token")} failed in the last turn`);
  if (manifest.job?.waiting) found.push(`${plural(manifest.job.waiting, "rotation")} waiting`);
  return found;
}

VIEWS.manifests = async ([name]) => {
  if (name) return oneManifest(name);
  const manifests = await pages("manifests", "manifests");
  manifests.sort((one, other) => heeds(other).length - heeds(one).length);
  const rows = manifests.map((one) => ({ cells: [
    [h("a", { class: "name", href: address(["manifests", one.name]) }, one.name), " ", heeds(one).map((word) => h("span", { class: "chip heed" }, word))],
    String(one.tokens), one.applied_at ? [when(one.applied_at), one.applied_by && h("span", { class: "second" }, ` by ${one.applied_by}`)] : one.applied !== undefined ? `revision ${one.applied}` : h("span", { class: "second" }, "never"),
    one.publication ? "published" : h("span", { class: "second" }, "by CI only"), one.job ? when(one.job.at) : ""] }));
  return { title: "Manifests", node: h("div", {}, h("div", { class: "head" }, h("div", { class: "row apart" }, heading("Manifests"), h("span", { class: "count" }, plural(manifests.length, "manifest")))),
    rows.length ? table(["Name", "Tokens", "Applied", "Rotated by", "Last turn"], rows, { label: "Manifests" })
      : h("div", { class: "empty" }, h("p", { class: "second" }, "No manifest yet. A manifest declares tokens and where their secrets go; it is applied by a command, in CI or by hand."), h("pre", { class: "lines mono" }, "provision init\nprovision apply"))) };
};

async function oneManifest(name) {
  const [view, tokens, job] = await Promise.all([
    get(at("manifests", name)), pages(at("manifests", name, "tokens"), "tokens", {}, 2000),
    get(at("manifests", name, "publication")).catch((error) => { if (error instanceof Refused && error.status === 404) return undefined; throw error; }),
  ]);
  const columns = [...new Set(tokens.flatMap((token) => (token.places ?? []).map(({ place }) => column(place))))].sort();
  const needs = (token) => (token.state !== "active" ? 3 : token.due && Date.parse(token.due) < Date.now() ? 2 : (token.places ?? []).some(({ version }) => version !== currentOf(token)) ? 1 : 0);
  tokens.sort((one, other) => needs(other) - needs(one) || (one.name < other.name ? -1 : 1));
  const cell = (token, kind) => {
    const inside = (token.places ?? []).filter(({ place }) => column(place) === kind);
    return h("td", {}, between(inside.map(({ place, version, declared }) => {
      const { name: entry } = placeIn(place);
      const behind = version !== currentOf(token);
      return h("span", { class: behind ? "heed" : undefined, title: entry }, version ? `${version}${behind ? ", behind" : ""}` : "nothing yet", declared ? "" : ", leaving");
    }), ", "));
  };
  const grid = h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Tokens and sinks" }, h("table", { class: "grid" },
    h("thead", {}, h("tr", {}, ["Token", "Version", ...columns, "Rotation", "Expires"].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, tokens.map((token) => h("tr", {}, h("th", { scope: "row" }, h("a", { class: "name", href: tokenLink(token) }, `${token.user}/${token.name}`)),
      h("td", {}, currentOf(token) ? String(currentOf(token)) : h("span", { class: "heed" }, "none"), token.versions.length > 1 && h("span", { class: "second" }, ` and ${token.versions.length - 1} older`)), columns.map((kind) => cell(token, kind)),
      h("td", {}, token.due ? when(token.due, { class: Date.parse(token.due) < Date.now() ? "heed" : undefined }) : ""), h("td", {}, expiryOf(token) ? when(expiryOf(token), { end: true, class: soon(token) ? "heed" : undefined }) : ""))))));
  const turn = job?.job;
  const next = tokens.map((token) => token.due).filter(Boolean).sort()[0];
  const { grant } = view;
  return { title: name, back: [["manifests"]], node: h("div", { class: "stack wide" }, h("div", { class: "row between" }, heading(name), h("a", { class: "button bare", href: "#/manifests" }, "All manifests")),
    view.lease && h("p", { class: "heed" }, "A run of ", code(view.lease.by), " is under way, until ", when(view.lease.until), " at the latest."),
    turn?.troubles?.length > 0 && h("div", { class: "stack tight" }, h("h2", {}, "Needs eyes"), h("ul", { class: "line" }, turn.troubles.map((trouble) => h("li", {}, code(`${trouble.user}/${trouble.name}`), `: ${trouble.reason}`, trouble.hint && h("div", { class: "hint" }, rich(trouble.hint)))))),
    facts([["Tokens", String(tokens.length)], ["Applied", view.applied_at ? [when(view.applied_at), view.applied_by && ` by ${view.applied_by}`] : view.applied !== undefined ? `revision ${view.applied}` : "never"], ["Rotated by", job ? "the scheduled job and CI" : "CI only, as it is not published"],
      ["Last turn", job?.last_turn ? when(job.last_turn) : job && "the job has not run yet"], ["Next rotation", next && [when(next), Date.parse(next) < Date.now() ? h("span", { class: "heed" }, " late") : ""]]]),
    tokens.length ? grid : h("p", { class: "second" }, "It has no token."),
    h("div", { class: "part" }, h("div", { class: "row between" }, h("h2", {}, "It is allowed to grant"), h("button", { type: "button", onclick: () => editGrant(name, grant) }, "Change")),
      grant ? facts([["Permissions", grant.permissions.length ? between(grant.permissions.map(code), ", ") : "none"], ["Roles", grant.roles.join(", ")], ["Users", grant.users.join(", ")], ["May create users", grant.new_users?.join(", ")], ["May create roles", grant.new_roles?.join(", ")], ["The job may write", grant.entries?.join(", ")]])
        : h("p", { class: "second" }, "Nothing: only an admin's token can apply it."))) };
}
const column = (place) => kindOf(place);
const currentOf = (token) => token.versions.find((version) => version.state === "current")?.number;

function editGrant(name, grant) {
  const lines = (label, key, hint) => [key, field(label, h("textarea", { spellcheck: "false" }, (grant?.[key] ?? []).join("\n")), hint)];
  const fields = Object.fromEntries([
    lines("Permissions", "permissions", "Everything that its roles and tokens allow must lie within these. One on each line."), lines("Roles", "roles", "Roles that it may use although it does not declare them."), lines("Users", "users", "Users that it may use although it does not declare them."),
    lines("May create users", "new_users", "Names, or beginnings of names that end in `*`."), lines("May create roles", "new_roles", "Names, or beginnings of names that end in `*`."), lines("The job may write", "entries", "Entries that the scheduled job may write for it, or beginnings of such that end in `*`.")]);
  const wrong = complaint();
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    Object.values(fields).forEach((one) => one.refuse());
    const body = Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, [...new Set(one.control.value.split(/[\n,]+/).map((word) => word.trim()).filter(Boolean))]]));
    if (grant?.max_users !== undefined) body.max_users = grant.max_users;
    if (grant?.max_roles !== undefined) body.max_roles = grant.max_roles;
    try { await ask("PUT", at("manifests", name, "grant"), { body }); box.close(); draw(); } catch (error) { refuseFields(fields, error) || complain(wrong, error); }
  } }, Object.values(fields), wrong, h("div", { class: "row" }, h("button", { type: "submit", class: "first" }, "Save"), h("button", { type: "button", class: "bare", onclick: () => box.close() }, "Cancel")));
  const box = dialog(`What ${name} is allowed to grant`, form);
}
