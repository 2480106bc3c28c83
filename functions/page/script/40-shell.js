// What is around every view: where one is, who one is, what the server does, and keys.

const VIEWS = {};
let guard;
let shown;

const live = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
const banner = h("div", { class: "banner", role: "alert", hidden: true });
const waitsFor = h("div", { class: "waits", hidden: true }, `Waiting for ${HOST} …`);
waits.told = (count) => { waitsFor.hidden = !count; };

const say = (text) => { live.textContent = ""; requestAnimationFrame(() => { live.textContent = text; }); };

/// Where one is: `#/tokens/ana/laptop?state=active`. No secret is ever in it.
function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const read = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  return { path: path.split("/").filter(Boolean).map(read), query: new URLSearchParams(query ?? "") };
}
function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return `#/${at(...path)}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}
function go(path, query, { replace = false } = {}) {
  const target = address(path, query);
  if (location.hash === target) return draw();
  if (replace) { history.replaceState(null, "", target); return draw(); }
  location.hash = target;
}
/// The same place with another query.
function turn(changes) {
  const { path, query } = here();
  const given = { ...Object.fromEntries(query), ...changes };
  history.replaceState(null, "", address(path, given));
  return draw({ keeps: true });
}

function rail() {
  const places = [
    ["tokens", "Tokens", true], ["users", "Users", may("admin:users")], ["roles", "Roles", may("admin:roles")],
    ["manifests", "Manifests", may("admin:roles")], ["events", "Events", true], ["settings", "Settings", may("admin:settings")],
  ];
  const first = here().path[0] ?? "tokens";
  const { me } = session;
  return [
    h("nav", { "aria-label": "Main" }, h("ul", {}, places.filter(([, , visible]) => visible).map(([path, word]) =>
      h("li", {}, h("a", { href: address([path]), "aria-current": (first === "new" ? "tokens" : first) === path ? "page" : undefined }, word))))),
    h("section", { class: "who", "aria-label": "You" },
      h("b", {}, me.user), h("span", {}, `with the token ${me.token}`), h("span", {}, `on ${HOST}`),
      h("span", { class: Date.parse(me.works_until) - Date.now() < 7 * DAY ? "heed" : undefined }, "expires ", when(me.works_until, { end: true })),
      h("button", { type: "button", onclick: () => leave(() => { session = undefined; draw(); }) }, "Sign out")),
  ];
}

let frame;
function shell() {
  const side = h("div", { class: "rail", id: "rail", hidden: true });
  const menu = h("button", { type: "button", class: "bare menu", "aria-expanded": "false", "aria-controls": "rail", onclick: () => {
    side.hidden = !side.hidden;
    menu.setAttribute("aria-expanded", String(!side.hidden));
  } }, "Menu");
  const main = h("main", { id: "content", tabindex: "-1" });
  const box = h("div", { class: "shell" },
    h("button", { type: "button", class: "skip", onclick: () => main.focus() }, "Skip to content"),
    h("header", { class: "bar row between" }, h("a", { class: "brand", href: "#/tokens" }, mark(), "Latchkey"), menu),
    side, h("div", { class: "beside" }, banner, main), waitsFor, live);
  side.close = () => { side.hidden = true; menu.setAttribute("aria-expanded", "false"); };
  return { box, side, main };
}

/// Asks before what would be lost is left.
function leave(then) {
  if (!guard) return then();
  guard(then);
}

let drawing = 0;
async function draw({ keeps = false } = {}) {
  const turn = ++drawing;
  if (!session) { frame = undefined; document.body.replaceChildren(gate()); document.querySelector("input")?.focus(); return; }
  if (!frame) { frame = shell(); document.body.replaceChildren(frame.box); }
  frame.side.replaceChildren(h("div", { class: "fixed" }, rail()));
  const { path, query } = here();
  const view = VIEWS[path[0] ?? "tokens"] ?? lost;
  let made;
  try {
    made = await view(path.slice(1), query);
  } catch (error) {
    if (!session || turn !== drawing) return;
    // What is on the screen stays while the server does not answer.
    if (error instanceof Silent && frame.main.hasChildNodes()) return;
    made = { title: "Not shown", node: trouble(error) };
  }
  if (turn !== drawing || !session) return;
  shown = made;
  frame.side.close();
  document.title = `${made.title} · Latchkey`;
  frame.main.className = made.spread ? "spread" : "";
  const held = document.activeElement?.id && keeps ? document.activeElement.id : undefined;
  frame.main.replaceChildren(made.node);
  made.onShown?.();
  if (held && document.getElementById(held)) document.getElementById(held).focus();
  else if (!keeps) (frame.main.querySelector("[data-first], h1, h2") ?? frame.main).focus({ preventScroll: false });
}
const heading = (text, given = {}) => h("h1", { tabindex: "-1", ...given }, text);
const lost = () => ({ title: "Not found", node: h("div", { class: "empty" }, heading("There is no such page"), h("a", { class: "button", href: "#/tokens" }, "Go to the tokens")) });

/// What went wrong, in words, and what can be done.
function trouble(error) {
  const refused = error instanceof Refused;
  const title = refused && error.status === 404 ? "There is nothing here that you may see" : refused ? "The server refused this" : error instanceof Silent ? "The server does not answer" : "Something in this page failed";
  return h("div", { class: "empty", role: "alert" }, heading(title), h("p", {}, rich(`${error.message}.`.replace(/\.\.$/, "."))),
    refused && error.request && h("p", { class: "second small" }, "Request ", code(error.request)),
    h("button", { type: "button", onclick: () => draw() }, "Try again"));
}
/// The same inside a form.
function complain(box, error) {
  const text = error instanceof Silent ? `${error.message}. Nobody knows whether it was done: look at the list before you try again` : error.message;
  box.replaceChildren(...rich(`${text[0].toUpperCase()}${text.slice(1)}.`));
  box.hidden = false;
}
const complaint = () => h("p", { class: "fault", role: "alert", hidden: true });

/// A button that does something once at a time.
function does(word, given, act) {
  const button = h("button", { type: "button", ...given, onclick: async () => {
    if (button.disabled) return;
    button.disabled = true;
    try { await act(); } finally { button.disabled = false; }
  } }, word);
  return button;
}

function dialog(title, inside, { onclose } = {}) {
  const id = `d${++numbered}`;
  const box = h("dialog", { "aria-labelledby": id }, h("div", { class: "stack" }, h("h2", { id, tabindex: "-1" }, title), inside));
  const from = document.activeElement;
  box.addEventListener("close", () => { box.remove(); onclose?.(); if (from?.isConnected) from.focus(); });
  document.body.append(box);
  box.showModal();
  (box.querySelector("[data-first]") ?? box.querySelector("h2")).focus();
  return box;
}

// The server that is gone: what is on the screen stays, and it is tried again.
let again;
silence.told = () => {
  clearTimeout(again);
  banner.hidden = !silence.since;
  if (!silence.since) { banner.replaceChildren(); return; }
  const since = timeForm.format(silence.since);
  banner.replaceChildren(h("span", {}, `${HOST} has not answered since ${since} UTC. What you see is as it was then; it is tried again.`),
    h("button", { type: "button", onclick: () => draw({ keeps: true }) }, "Try now"));
  again = setTimeout(() => { if (session) get("me").then(() => draw({ keeps: true })).catch(() => {}); }, 5000);
};

const KEYS = [["/", "Search"], ["n", "New token"], ["j  k", "Next and previous row"], ["Enter", "Open the row"], ["e", "Edit what is open"], ["Esc", "Back"], ["?", "These keys"]];
function keys() {
  dialog("Keys", [h("dl", { class: "keys" }, KEYS.flatMap(([key, word]) => [h("dt", {}, between(key.split("  ").map((one) => h("kbd", {}, one)), " ")), h("dd", {}, word)])),
    h("form", { method: "dialog" }, h("button", { type: "submit" }, "Close"))]);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !session || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches?.("input, textarea, select");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    if (shown?.back && !guard) { event.preventDefault(); go(...shown.back); }
    return;
  }
  if (typing) return;
  const act = {
    "?": keys, "/": () => frame.main.querySelector("input[type=search]")?.focus(), n: () => go(["new"]), e: () => shown?.edit?.(),
    j: () => step(1), k: () => step(-1),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
function step(by) {
  const rows = [...frame.main.querySelectorAll("tbody .name")];
  const now = rows.indexOf(document.activeElement);
  rows[now < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + by))]?.focus();
}

let last = location.hash;
window.addEventListener("hashchange", () => {
  if (guard && location.hash !== last) {
    const wanted = location.hash;
    history.replaceState(null, "", last);
    guard(() => { location.hash = wanted; });
    return;
  }
  last = location.hash;
  draw();
});
window.addEventListener("beforeunload", (event) => { if (guard) event.preventDefault(); });
