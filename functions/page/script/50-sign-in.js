// Signing in: a token in, its user out. It is kept in memory only, so a new page asks again.

let farewell;
function signedOut(why) {
  session = undefined;
  guard = undefined;
  farewell = why;
  document.querySelectorAll("dialog").forEach((box) => box.remove());
  draw();
}

function gate() {
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", spellcheck: "false", autocapitalize: "none", required: true });
  const box = field("Token", token, "It starts with the prefix of this service, for example `lk_`.");
  const form = h("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    box.refuse();
    const text = token.value.trim();
    if (!text) { box.refuse("Paste a token."); token.focus(); return; }
    if (!/^[a-z][a-z0-9_]{0,15}_[0-9A-Za-z_]{20,}$/.test(text)) {
      box.refuse("This does not have the form of a token of Latchkey. Copy it as a whole, without quotes.");
      token.focus();
      return;
    }
    button.disabled = true;
    try {
      const me = await send("GET", "me", { token: text });
      session = { token: text, me };
      farewell = undefined;
      token.value = "";
      if (!location.hash) history.replaceState(null, "", "#/tokens");
      last = location.hash;
      await draw();
    } catch (error) {
      box.refuse(error instanceof Refused && error.status === 401 ? `The server does not accept this token: ${error.message}.` : `${error.message}.`);
      token.focus();
    } finally { button.disabled = false; }
  } }, box);
  const button = h("button", { type: "submit", class: "first" }, "Sign in");
  form.append(h("div", { class: "row" }, button));
  return h("main", { class: "gate" },
    h("div", { class: "stack tight" }, mark(), h("h1", {}, "Sign in"), h("p", { class: "second" }, "to ", h("b", {}, HOST))),
    farewell && h("p", { class: "heed", role: "alert" }, `You are signed out: ${farewell}. After signing in you are where you were.`),
    form,
    h("div", { class: "stack tight second small" },
      h("p", {}, "The token stays in this page's memory. Nothing is stored: reload the page and it is gone."),
      h("p", {}, "No token yet? Ask an admin, or on the machine that runs the service: ", code("provision token create NAME"), ".")));
}
