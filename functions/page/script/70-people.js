// Users and roles, for admins.

VIEWS.users = async ([name], query) => {
  const { users } = await get("users");
  const words = (query.get("q") ?? "").toLowerCase();
  const visible = users.filter((user) => [user.name, user.kind, ...user.roles, user.managed_by ?? ""].join(" ").toLowerCase().includes(words));
  const rows = visible.map((user) => ({ cells: [
    [h("a", { class: "name", href: address(["users", user.name], Object.fromEntries(query)) }, user.name), " ", user.suspended && h("span", { class: "chip ends" }, "suspended")],
    user.kind, h("span", { class: "tags" }, user.roles.map((role) => h("span", {}, role))), h("a", { href: address(["tokens"], { user: user.name }), "aria-label": `Tokens of ${user.name}: ${user.active}` }, String(user.active)), user.managed_by ? code(user.managed_by) : h("span", { class: "second" }, "by hand")] }));
  const list = h("div", { class: "list" }, h("div", { class: "head" }, h("div", { class: "row apart" }, heading("Users"), h("span", { class: "count" }, plural(users.length, "user"))), h("button", { type: "button", class: "first", onclick: () => editUser() }, "New user")),
    h("div", { class: "filters", role: "search" }, searchBox(query, "users")),
    rows.length ? table(["Name", { text: "Kind", className: "lesser" }, "Roles", "Tokens", { text: "Declared", className: "lesser" }], rows, { label: "Users" })
      : h("div", { class: "empty" }, h("p", { class: "second" }, words ? "No user matches." : "No user yet. A user is a person or a service that has tokens.")));
  if (!name) return { title: "Users", node: list };
  const user = users.find((one) => one.name === name) ?? (await get(at("users", name)));
  const back = [["users"], Object.fromEntries(query)];
  const sheet = h("section", { class: "sheet", "aria-labelledby": "sheet" },
    h("div", { class: "row between" }, h("h1", { class: "lower", id: "sheet", tabindex: "-1", "data-first": true }, user.name), h("a", { class: "button bare", href: address(...back), "aria-label": "Close and go back to the list" }, "Close")),
    user.suspended && h("p", { class: "ends" }, "Suspended", user.suspended_at && [" ", when(user.suspended_at)], user.suspended_by && [" by ", code(user.suspended_by)], ": none of the user's tokens is valid."),
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => editUser(user) }, "Edit"), h("a", { class: "button", href: address(["tokens"], { user: user.name }) }, "Tokens"),
      h("button", { type: "button", class: user.suspended ? "" : "ending", onclick: () => suspend(user) }, user.suspended ? "Restore" : "Suspend"), h("button", { type: "button", class: "ending", onclick: () => removeUser(user) }, "Delete")),
    facts([["Kind", user.kind], ["Roles", user.roles.length ? listed(user.roles) : "none"], ["Tokens", `${user.active}${user.limit !== undefined ? ` of ${user.limit}` : ""} active`], ["Notices to", user.email], ["Declared by", user.managed_by && code(user.managed_by)], ["Created", when(user.created)]]),
    h("p", {}, h("a", { href: address(["events"], { user: user.name }) }, "What happened with this user and their tokens")));
  return { title: user.name, back, spread: true, edit: () => editUser(user), node: h("div", { class: "with-sheet" }, list, sheet) };
};

function searchBox(query, what) {
  const search = h("input", { type: "search", id: "search", "aria-label": `Search ${what}`, placeholder: "Search", value: query.get("q") ?? "", oninput: () => {
    clearTimeout(search.later);
    search.later = setTimeout(() => turn({ q: search.value }), 150);
  } });
  return search;
}

async function editUser(user) {
  const { roles } = may("admin:roles") ? await get("roles") : { roles: (user?.roles ?? []).map((name) => ({ name })) };
  const name = field("Name", h("input", { value: user?.name ?? "", disabled: Boolean(user), spellcheck: "false", autocapitalize: "none", "data-first": true }), user ? undefined : "In lower case, for instance an address.");
  const kind = user ? undefined : group("Kind", "It cannot be changed later.", choice({ type: "radio", name: "kind", value: "person", checked: true }, "Person"), choice({ type: "radio", name: "kind", value: "service" }, "Service", "A program. It sees no token, not even its own, without the permission."));
  const held = group("Roles", "Taking a role away takes it from all the user's tokens too.", roles.length ? h("div", { class: "rows" }, roles.map((role) => choice({ type: "checkbox", name: "role", value: role.name, checked: user?.roles.includes(role.name) }, role.name, role.permissions && `Allows to ${allowedBy(role.permissions)}.`))) : h("p", { class: "second" }, "There is no role yet."));
  const limit = field("Limit of active tokens", h("input", { type: "number", min: 0, value: user?.max_tokens ?? "" }), "Empty means the default of this service.");
  const email = field("Notices to", h("input", { type: "email", value: user?.email ?? "" }), "An address for notices about this user's tokens. Optional.");
  const wrong = complaint();
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const fields = { name, roles: held, max_tokens: limit, email };
    Object.values(fields).forEach((one) => one.refuse());
    const body = { roles: [...form.querySelectorAll("[name=role]:checked")].map((box) => box.value), max_tokens: limit.control.value === "" ? null : Number(limit.control.value) };
    if (email.control.value !== (user?.email ?? "")) body.email = email.control.value || null;
    if (kind) body.kind = form.querySelector("[name=kind]:checked").value;
    const target = user?.name ?? name.control.value.trim();
    if (!target) { name.refuse("Give the user a name."); name.control.focus(); return; }
    try {
      if (!user && await get(at("users", target)).then(() => true, (error) => { if (error.status === 404) return false; throw error; })) { name.refuse("There is a user of this name already."); name.control.focus(); return; }
      await ask("PUT", at("users", target), { body });
      box.close();
      say(`${target} is saved`);
      go(["users", target], {}, { replace: Boolean(user) });
    } catch (error) { refuseFields(fields, error) || complain(wrong, error); }
  } }, user?.managed_by && h("p", { class: "heed" }, "The manifest ", code(user.managed_by), " declares this user: its next run sets what it declares."), name, kind, held, limit, email, wrong,
    h("div", { class: "row" }, h("button", { type: "submit", class: "first" }, user ? "Save" : "Create"), h("button", { type: "button", class: "bare", onclick: () => box.close() }, "Cancel")));
  const box = dialog(user ? `Edit ${user.name}` : "New user", form);
}

function confirmed(title, texts, word, ending, act) {
  const wrong = complaint();
  const button = does(word, { class: ending ? "ending" : "first" }, async () => {
    try { await act(); box.close(); } catch (error) { complain(wrong, error); }
  });
  const box = dialog(title, [texts, wrong, h("div", { class: "row" }, button, h("button", { type: "button", "data-first": true, onclick: () => box.close() }, "Cancel"))]);
  return box;
}
const suspend = (user) => confirmed(user.suspended ? `Restore ${user.name}?` : `Suspend ${user.name}?`,
  h("p", {}, user.suspended ? `${plural(user.active, "active token")} of this user ${user.active === 1 ? "is" : "are"} valid again at once.` : `At once, none of this user's ${plural(user.active, "active token")} is valid, until the user is restored. Nothing is deleted.`),
  [user.suspended ? "Restore " : "Suspend ", user.name], !user.suspended, async () => { await ask("PUT", at("users", user.name), { body: { suspended: !user.suspended } }); draw(); });
const removeUser = (user) => confirmed(`Delete ${user.name}?`, [h("p", {}, user.active ? `The user has ${plural(user.active, "active token")}: delete these first.` : "The user has no active token. Their history stays."), user.managed_by && h("p", { class: "heed" }, "The manifest ", code(user.managed_by), " declares this user: its next run creates the user again.")],
  ["Delete ", user.name], true, async () => { await ask("DELETE", at("users", user.name)); go(["users"]); });

VIEWS.roles = async ([name]) => {
  const { roles } = await get("roles");
  const rows = roles.map((role) => ({ cells: [h("a", { class: "name", href: address(["roles", role.name]) }, role.name), allowedBy([...role.permissions]), String(role.holders), role.managed_by ? code(role.managed_by) : h("span", { class: "second" }, "by hand")] }));
  const list = h("div", { class: "list" }, h("div", { class: "head" }, h("div", { class: "row apart" }, heading("Roles"), h("span", { class: "count" }, plural(roles.length, "role"))), h("button", { type: "button", class: "first", onclick: () => editRole() }, "New role")),
    rows.length ? table(["Name", "Allows to", "Users", { text: "Declared", className: "lesser" }], rows, { label: "Roles" }) : h("div", { class: "empty" }, h("p", { class: "second" }, "No role yet. A role is a name for permissions, which users and their tokens get.")));
  if (!name) return { title: "Roles", node: list };
  const role = roles.find((one) => one.name === name) ?? (await get(at("roles", name)));
  const sheet = h("section", { class: "sheet", "aria-labelledby": "sheet" },
    h("div", { class: "row between" }, h("h1", { class: "lower", id: "sheet", tabindex: "-1", "data-first": true }, role.name), h("a", { class: "button bare", href: "#/roles", "aria-label": "Close and go back to the list" }, "Close")),
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => editRole(role) }, "Edit"), h("button", { type: "button", class: "ending", onclick: () => removeRole(role) }, "Delete")),
    facts([["Users", String(role.holders)], ["Declared by", role.managed_by && code(role.managed_by)]]),
    part("It allows to", role.permissions.length ? h("ul", { class: "line" }, role.permissions.map((one) => h("li", {}, allows(one), " ", h("span", { class: "second" }, code(one))))) : h("p", { class: "second" }, "Nothing.")));
  return { title: role.name, back: [["roles"]], spread: true, edit: () => editRole(role), node: h("div", { class: "with-sheet" }, list, sheet) };
};

function editRole(role) {
  const name = field("Name", h("input", { value: role?.name ?? "", disabled: Boolean(role), spellcheck: "false", autocapitalize: "none", "data-first": true }), role ? undefined : "In lower case, for instance `documents-reader`.");
  const permissions = field("Permissions", h("textarea", { spellcheck: "false", autocapitalize: "none", oninput: () => told() }, (role?.permissions ?? []).join("\n")), "One on each line: `resource:action`, for instance `documents:read`; `*` may be a whole part.");
  const change = h("div", { "aria-live": "polite" });
  const wrong = complaint();
  const list = () => [...new Set(permissions.control.value.split(/[\s,]+/).filter(Boolean))];
  function told() {
    const now = list();
    const lost = (role?.permissions ?? []).filter((one) => !now.includes(one));
    const gained = now.filter((one) => !(role?.permissions ?? []).includes(one));
    change.replaceChildren(...[gained.length && h("p", {}, "Adds: ", between(gained.map(code), ", ")), lost.length && h("p", { class: "ends" }, "Removes: ", between(lost.map(code), ", "), role?.holders ? ` from ${plural(role.holders, "user")} and their tokens` : "")].filter(Boolean));
  }
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const fields = { role: name, permissions };
    Object.values(fields).forEach((one) => one.refuse());
    const target = role?.name ?? name.control.value.trim();
    if (!target) { name.refuse("Give the role a name."); name.control.focus(); return; }
    try {
      await ask("PUT", at("roles", target), { body: { permissions: list() } });
      box.close();
      go(["roles", target], {}, { replace: Boolean(role) });
    } catch (error) { refuseFields(fields, error) || complain(wrong, error); }
  } }, role?.managed_by && h("p", { class: "heed" }, "The manifest ", code(role.managed_by), " declares this role: its next run sets its permissions."), name, permissions, change, wrong,
    h("div", { class: "row" }, h("button", { type: "submit", class: "first" }, role ? "Save" : "Create"), h("button", { type: "button", class: "bare", onclick: () => box.close() }, "Cancel")));
  const box = dialog(role ? `Edit ${role.name}` : "New role", form);
}
const removeRole = (role) => confirmed(`Delete ${role.name}?`, h("p", {}, role.holders ? `${plural(role.holders, "user")} still ${role.holders === 1 ? "has" : "have"} this role: take it from them first.` : "No user has this role."), ["Delete ", role.name], true,
  async () => { await ask("DELETE", at("roles", role.name)); go(["roles"]); });
