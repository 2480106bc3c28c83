// What is not for everybody: another's tokens, an admin's parts, and anything without a token that is valid.
import { assert, base, browser, end, given, open, signIn, visit } from "./browser.mjs";

const page = await open();
await signIn(page, "bob");
assert.deepEqual(await page.getByRole("navigation", { name: "Main" }).getByRole("link").allTextContents(), ["Tokens", "Events"]);
for (const hash of ["#/users", "#/users/ana", "#/roles", "#/manifests", "#/manifests/acme-platform", "#/settings", "#/tokens/ana/admin-laptop", "#/tokens?user=*", "#/new?user=ana"]) {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await page.getByText(/The server refused this|There is nothing here that you may see/).waitFor();
  const text = await page.locator("main#content").textContent();
  assert.ok(!/admin-laptop|ci@example|documents-writer/.test(text), `${hash}: ${text}`);
  await visit(page, "#/events", "What happened with your tokens");
}
const ask = (path) => fetch(`${base}v1/${path}`, { headers: { authorization: `Bearer ${given.secrets.bob}` } });
for (const path of ["users", "roles", "settings", "manifests", "tokens", "users/ana/tokens", "events"]) {
  assert.ok([403, 404].includes((await ask(path)).status), path);
}

// A token that is revoked while somebody looks: what was asked for comes back after signing in again.
const owner = await open();
await signIn(owner, "soon", "#/tokens/ana/soon-gone");
const gone = await fetch(`${base}v1/me/token`, { method: "DELETE", headers: { authorization: `Bearer ${given.secrets.soon}` } });
assert.ok(gone.ok);
await owner.evaluate(() => { location.hash = "#/tokens/ana/backup-server-eu"; });
await owner.getByText("You are signed out").waitFor();
assert.ok(!(await owner.content()).includes("backup-server-eu"), "nothing of what was there stays");
await owner.getByLabel("Token").fill(given.secrets.admin);
await owner.keyboard.press("Enter");
await owner.getByRole("heading", { name: "backup-server-eu" }).waitFor();

// A server that is gone: what is on the screen stays, and comes back by itself.
await owner.route("**/v1/**", (route) => route.abort());
await owner.keyboard.press("Escape");
await owner.getByText("has not answered since").waitFor();
assert.ok((await owner.content()).includes("backup-server-eu"), "what was seen stays");
await owner.unroute("**/v1/**");
await owner.getByRole("button", { name: "Try now" }).click();
await owner.waitForFunction(() => document.querySelector(".banner").hidden);

// Signing out leaves nothing, a new page neither.
await owner.getByRole("button", { name: "Sign out" }).click();
await owner.getByRole("heading", { name: "Sign in" }).waitFor();
assert.deepEqual(await owner.evaluate(() => [Object.keys(localStorage).length, Object.keys(sessionStorage).length, document.cookie]), [0, 0, ""]);
await signIn(owner, "admin");
await owner.reload();
await owner.getByRole("heading", { name: "Sign in" }).waitFor();

// Without JavaScript there are words, and commands.
const plain = await open({ script: false });
await plain.goto(base);
assert.match(await plain.textContent("body"), /needs JavaScript[\s\S]*provision token list/);
const faults = [page, owner].flatMap((one) => one.faults);
assert.deepEqual(faults, []);
assert.equal(browser.isConnected(), true);
await end();
