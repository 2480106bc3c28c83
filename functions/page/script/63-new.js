// A new token, a summary before it is made, and its secret, once.

VIEWS.new = async (_, query) => {
  const user = query.get("user") || session.me.user;
  const [owner, all] = await Promise.all([get(at("users", user)), may("admin:roles") ? get("roles") : undefined]);
  const known = new Map((all?.roles ?? []).map((role) => [role.name, role.permissions]));
  const own = user === session.me.user;
  const wanted = query.get("roles")?.split(",");
  const name = field("Name", h("input", { value: query.get("name") ?? "", maxlength: 64, autocomplete: "off", spellcheck: "false", autocapitalize: "none", "data-first": true, required: true }), "What uses the token, and where.");
  const description = field("Description", h("input", { value: query.get("description") ?? "", maxlength: 256, autocomplete: "off" }), "For whoever reads the list a year from now. Optional.");
  const networks = field("Allowed from", h("input", { value: query.get("allowed_ips") ?? "", spellcheck: "false", autocomplete: "off" }), "Networks such as 192.0.2.0/24, separated by commas. Empty means anywhere.");
  const days = query.get("days") ?? "31";
  const date = h("input", { type: "date", "aria-label": "Last day, UTC", min: isoDay(Date.now()), value: query.get("expires_at") ?? "", oninput: () => { expiry.querySelector("[value=date]").checked = true; summary(); } });
  const expiry = group("Expires", undefined, h("div", { class: "options" }, ["7", "31", "90"].map((value) => choice({ type: "radio", name: "expiry", value, checked: value === days && !date.value }, `in ${value} days`)),
    choice({ type: "radio", name: "expiry", value: "date", checked: Boolean(date.value) }, "at the end of a day")), date);
  date.hidden = !date.value;
  const roles = group("Roles", owner.roles.length ? "What the token may do. It never gets more than its user has." : undefined,
    owner.roles.length ? h("div", { class: "rows" }, owner.roles.map((role) => choice({ type: "checkbox", name: "role", value: role, checked: wanted ? wanted.includes(role) : owner.roles.length === 1 }, role,
      known.has(role) ? `Allows it to ${allowedBy(known.get(role))}.` : own && owner.roles.length === 1 ? `Allows it to ${allowedBy(session.me.permissions)}.` : undefined)))
      : h("p", { class: "heed" }, `${own ? "You have" : `${user} has`} no role, so the token may do nothing.`));
  const last = h("p", { "aria-live": "polite" });
  const wrong = complaint();
  const expires = () => {
    const value = form.querySelector("[name=expiry]:checked")?.value ?? "31";
    if (value === "date") return date.value ? { send: date.value, say: `until the end of ${dayForm.format(Date.parse(date.value))}` } : undefined;
    // No token may outlive the one that creates it.
    const [end, mine] = [Date.now() + Number(value) * DAY, session.me.works_until];
    if (Date.parse(mine) < end) return { send: mine, say: `until ${endDay(mine)}, when the token that you are signed in with expires` };
    return { send: new Date(end).toISOString(), say: `until ${dayForm.format(end)}` };
  };
  const taken = () => [...form.querySelectorAll("[name=role]:checked")].map((box) => box.value);
  const list = () => networks.control.value.split(",").map((one) => one.trim()).filter(Boolean);
  function summary() {
    const permissions = taken().every((role) => known.has(role)) ? [...new Set(taken().flatMap((role) => known.get(role)))] : undefined;
    const what = !taken().length ? "do nothing" : permissions ? allowedBy(permissions) : taken().length === owner.roles.length && own && !known.size ? allowedBy(session.me.permissions) : `do what ${taken().length === 1 ? "the role" : "the roles"} ${listed(taken())} ${taken().length === 1 ? "allows" : "allow"}`;
    last.replaceChildren(name.control.value ? code(name.control.value) : "The token", own ? "" : ` of ${user}`, ` will be able to ${what}, from ${list().length ? listed(list()) : "anywhere"}, ${expires()?.say ?? "until a day that you choose"}.`);
  }
  const create = h("button", { type: "submit", class: "first" }, "Create");
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const fields = { name, description, allowed_ips: networks, expires_at: expiry, roles };
    Object.values(fields).forEach((one) => one.refuse());
    wrong.hidden = true;
    const fault = nameFault(name.control.value);
    if (fault) { name.refuse(fault); name.control.focus(); return; }
    if (!expires()) { expiry.refuse("Choose the last day."); date.focus(); return; }
    create.disabled = true;
    try {
      const body = { name: name.control.value, roles: taken(), expires_at: expires().send };
      if (description.control.value) body.description = description.control.value;
      if (list().length) body.allowed_ips = list();
      showSecret(await ask("POST", at("users", user, "tokens"), { body }), {});
    } catch (error) {
      if (error.code === "name_taken") { name.refuse(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`); name.control.focus(); }
      else refuseFields(fields, error) || complain(wrong, error);
    } finally { create.disabled = false; }
  }, oninput: () => { date.hidden = form.querySelector("[name=expiry]:checked")?.value !== "date"; name.advise(nameAdvice(name.control.value)); name.refuse(); summary(); } },
    name, description, expiry, roles, h("details", { open: Boolean(networks.control.value) }, h("summary", {}, "Networks"), networks), h("div", { class: "summary" }, last), wrong,
    h("div", { class: "row" }, create, h("a", { class: "button bare", href: "#/tokens" }, "Cancel")));
  summary();
  const full = owner.active >= owner.limit;
  return { title: "New token", back: [["tokens"]], node: h("div", { class: "stack wide" }, h("div", {}, heading("New token"), !own && h("p", { class: "second" }, "for ", code(user))),
    full && h("p", { class: "heed" }, `${own ? "You have" : `${user} has`} ${owner.active} of ${owner.limit} active tokens: delete one that is no longer used, or ask an admin for a higher limit.`), form) };
};

/// A button that copies, and answers in place.
function copyButton(text, word = "Copy") {
  const button = h("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      button.classList.add("fresh");
      say("Copied");
    } catch { button.textContent = "Not copied: select it and press Ctrl+C"; }
    setTimeout(() => { button.textContent = word; button.classList.remove("fresh"); }, 2500);
  } }, word);
  return button;
}

/// Lines ready to paste. A leading blank keeps most shells from remembering one; `printf` is the shell's own, so that the
/// secret is in no list of processes.
const pasteable = ({ name, secret }) => {
  const [entry, slug] = [variable(name), name.toLowerCase().replace(/[^a-z0-9-]+/g, "-")];
  const given = ` printf %s '${secret}' |`;
  return [
    [".env", `${entry}=${secret}`],
    ["Shell", ` export ${entry}='${secret}'`],
    ["AWS", `${given} aws secretsmanager create-secret --name ${slug} --secret-string file:///dev/stdin`],
    ["Azure", `${given} az keyvault secret set --vault-name VAULT --name ${slug} --file /dev/stdin`],
    ["Heroku", ` heroku config:set ${entry}='${secret}' --app APP`],
    ["Vercel", `${given} vercel env add ${entry} production`],
    ["curl", ` printf 'header = "Authorization: Bearer %s"\\n' '${secret}' | curl --config - ${new URL("me", API)}`],
  ];
};

function showSecret({ token, secret, version }, { again }) {
  const done = () => { guard = undefined; };
  guard = (then) => {
    const box = dialog("Have you stored the secret?", [h("p", {}, "It is shown this once. Nobody can show it again, not even an admin."),
      h("div", { class: "row" }, h("button", { type: "button", class: "first", "data-first": true, onclick: () => box.close() }, "Back to the secret"),
        h("button", { type: "button", onclick: () => { box.close(); done(); then(); } }, "I have stored it"))]);
  };
  const lines = pasteable({ name: token.name, secret });
  const shownLine = h("pre", { class: "lines mono", tabindex: "0", "aria-label": "A line to paste" }, lines[0][1]);
  const note = h("p", { class: "hint", hidden: true }, "While this runs, the secret is in the machine's list of processes.");
  const buttons = lines.map(([word, line], index) => h("button", { type: "button", class: "bare", "aria-pressed": String(!index), onclick: (event) => {
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === event.target)));
    shownLine.textContent = line;
    note.hidden = word !== "Heroku";
  } }, word));
  const after = [["tokens", token.user, token.name]];
  const node = h("div", { class: "stack wide" }, heading(again ? `Version ${version} of ${token.name}` : `${token.name} is created`, { "data-first": true }),
    h("div", { class: "once" }, h("h2", {}, "Its secret, shown this once"), h("output", { id: "secret" }, secret), h("div", { class: "row" }, copyButton(() => secret, "Copy the secret"))),
    h("div", { class: "stack tight" }, h("h2", {}, "Ready to paste"), h("div", { class: "row", role: "group", "aria-label": "Where to" }, buttons), shownLine, note, h("div", { class: "row" }, copyButton(() => shownLine.textContent, "Copy the line"))),
    h("p", { class: "second" }, "Keep it out of code, documents and chats, and a ", code(".env"), " file out of git."),
    again && h("p", {}, "The older secret is still valid. Once everything uses the new one, finish the rotation on the token's page, within 24 hours."),
    h("div", { class: "row" }, h("button", { type: "button", class: "first", onclick: () => { done(); go(...after); } }, "I have stored it")));
  shown = { title: token.name };
  document.title = "Secret · Latchkey";
  drawing += 1;
  frame.main.className = "";
  frame.main.replaceChildren(node);
  frame.main.querySelector("h1").focus();
}
