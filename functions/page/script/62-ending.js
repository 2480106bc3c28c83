// Deleting and rotating: what follows is said before the button.

/// Where a token is and when it was used, as consequences.
function consequences(token, verb) {
  const used = lastUse(token);
  const inPlaces = (token.places ?? []).filter(({ version }) => version).map(({ place }) => { const { kind, name, inside } = placeIn(place); return h("li", {}, kind, " ", code(name), inside && ` in ${inside}`); });
  return [
    h("p", {}, used ? ["It was last used ", h("b", {}, relative(used.last)), used.ip ? ` from ${used.ip}` : "", ` (${exact(used.last)}).`] : "It was never used."),
    inPlaces.length > 0 && [h("p", {}, `${plural(inPlaces.length, "place")} ${inPlaces.length === 1 ? "contains" : "contain"} it:`), h("ul", { class: "line" }, inPlaces)],
    token.managed_by && h("p", { class: "heed" }, "The manifest ", code(token.managed_by), ` declares it: as long as it does, its next run ${verb === "delete" ? "creates the token again" : "rotates it as the manifest says"}.`),
  ];
}

function deleting(token, roles) {
  const used = lastUse(token);
  const lately = used && Date.now() - Date.parse(used.last) < 7 * DAY;
  const wrong = complaint();
  const typed = lately ? field("Type the name to delete it", h("input", { autocomplete: "off", spellcheck: "false", autocapitalize: "none" }), `It was used within the last 7 days: \`${token.name}\``) : undefined;
  const remove = does(["Delete ", token.name], { class: "ending" }, async () => {
    if (typed && typed.control.value !== token.name) { typed.refuse("This is not the name of the token."); typed.control.focus(); return; }
    try {
      await ask("DELETE", tokenAt(token.user, token.name), { query: { id: token.id } });
      box.close();
      say(`${token.name} is deleted`);
      go(["tokens"], { ...Object.fromEntries(here().query), id: undefined });
    } catch (error) { complain(wrong, error); }
  });
  const box = dialog(`Delete ${token.name}?`, [
    h("p", {}, "At once, for good, ", plural(valid(token).length, "secret"), " stop", valid(token).length === 1 ? "s" : "", " being valid. Whatever still uses the token is answered 401 from then on."),
    roles?.permissions.length > 0 && h("p", {}, `What can no longer be done with it: ${allowedBy(roles.permissions)}.`),
    consequences(token, "delete"), typed, wrong,
    h("div", { class: "row" }, remove, h("button", { type: "button", "data-first": true, onclick: () => box.close() }, "Keep it"))]);
}

function rotating(token) {
  const placed = (token.places ?? []).length > 0;
  if (placed || token.managed_by) {
    const command = `provision rotate ${token.name}`;
    const box = dialog(`Rotate ${token.name}`, [consequences(token, "rotate"),
      h("p", {}, "Its new secret has to go to all its places before the older one is retired. The command does that, from the folder of the manifest:"),
      h("pre", { class: "lines mono", tabindex: "0" }, command), h("div", { class: "row" }, copyButton(() => command, "Copy the command"), h("button", { type: "button", "data-first": true, onclick: () => box.close() }, "Close"))]);
    return;
  }
  const wrong = complaint();
  const begin = does(["Create a new secret of ", token.name], { class: "first" }, async () => {
    try {
      const issued = await ask("POST", tokenAt(token.user, token.name, "versions"), { body: { id: token.id } });
      box.close();
      showSecret(issued, { again: true });
    } catch (error) { complain(wrong, error); }
  });
  const box = dialog(`Rotate ${token.name}`, [consequences(token, "rotate"),
    h("ol", { class: "line" }, h("li", {}, "A new secret is created and shown once. The present one stays valid."), h("li", {}, "You put the new one wherever the token is used."), h("li", {}, "You finish the rotation within 24 hours, and the older secret is retired.")),
    wrong, h("div", { class: "row" }, begin, h("button", { type: "button", "data-first": true, onclick: () => box.close() }, "Not now"))]);
}

function finishing(token, staged) {
  const wrong = complaint();
  const older = token.versions.filter((version) => version.number !== staged.number);
  const olderUse = older.map((version) => version.used).filter(Boolean).sort((one, other) => (one.last < other.last ? 1 : -1))[0];
  const finish = does(["Make version ", String(staged.number), " current"], { class: "first" }, async () => {
    try {
      await ask("POST", tokenAt(token.user, token.name, "versions", String(staged.number), "promote"), { body: { id: token.id } });
      box.close();
      say(`version ${staged.number} is current`);
      draw();
    } catch (error) { complain(wrong, error); }
  });
  const box = dialog(`Finish the rotation of ${token.name}`, [
    h("p", {}, `Version ${staged.number} becomes current. ${older.length ? `${older.length === 1 ? "Version" : "Versions"} ${listed(older.map((one) => String(one.number)))} then ${older.length === 1 ? "stays" : "stay"} valid until the overlap has ended; without one, no longer.` : ""}`),
    h("p", { class: staged.used ? "fresh" : "heed" }, staged.used ? ["The new secret was already used, ", relative(staged.used.last), "."] : "The new secret was not used yet: whatever still has the older one stops working."),
    olderUse && h("p", {}, "The older one was last used ", relative(olderUse.last), olderUse.ip ? ` from ${olderUse.ip}.` : "."),
    wrong, h("div", { class: "row" }, finish, h("button", { type: "button", "data-first": true, onclick: () => box.close() }, "Not yet"))]);
}
