// More tokens than a page of the API has, some with labels, and a person who may not read the settings.
import { assert, audit, base, end, given, open, signIn, visit } from "./browser.mjs";

const send = async (secret, method, path, body) => {
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  const answer = await fetch(`${base}v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${await answer.clone().text()}`);
};
const admin = given.secrets.admin;
for (let count = 1; count <= 204; count += 1) {
  await send(admin, "POST", "users/ana/tokens", { name: `passing-${count}`, roles: [] });
  await send(admin, "DELETE", `users/ana/tokens/passing-${count}`);
}
for (const [name, labels] of [["web-eu", { env: "prod", team: "web" }], ["web-us", { env: "prod" }], ["web-dev", { env: "dev", note: "not prod" }]]) {
  await send(admin, "POST", "users/ana/tokens", { name, roles: [], labels });
}

// Beside a tab is how many there are, not how many were read.
const page = await open();
await signIn(page, "admin");
const tab = (name) => page.getByRole("navigation", { name: "States" }).getByRole("link", { name });
await tab("Deleted 205").waitFor();
await visit(page, "#/tokens/ana/backup-server-eu", "It may");
await tab("Deleted 205").waitFor();
await visit(page, "#/tokens?state=deleted", "passing-1");
assert.equal(await page.locator("tbody .name").count(), 205);

// A label narrows to it alone, where a search also finds the word elsewhere; the address keeps it.
await visit(page, "#/tokens", "web-eu");
const names = () => page.locator("tbody .name").allTextContents();
const shows = async (...wanted) => {
  await page.waitForFunction((count) => document.querySelectorAll("tbody .name").length === count, wanted.length);
  assert.deepEqual(await names(), wanted);
};
const label = page.getByLabel("Label", { exact: true });
assert.deepEqual(await label.locator("option").allTextContents(), ["Any label", "env=dev", "env=prod", "note=not prod", "team=web"]);
await page.getByLabel("Search tokens").fill("prod");
await shows("web-dev", "web-eu", "web-us");
await page.getByLabel("Search tokens").fill("");
await label.selectOption("env=prod");
await shows("web-eu", "web-us");
assert.match(page.url(), /label=env%3Dprod/);
await audit(page, "narrowed by a label");
await page.setViewportSize({ width: 320, height: 800 });
await audit(page, "narrowed by a label at 320");
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
await page.setViewportSize({ width: 1280, height: 800 });
await tab("Deleted").click();
await page.getByText("No token matches these filters.").waitFor();
assert.equal(await label.inputValue(), "env=prod", "what narrows stays in sight");
await page.getByRole("button", { name: "Clear", exact: true }).click();
await page.waitForFunction(() => document.querySelectorAll("tbody .name").length === 205);

// The limit that holds for everybody, for one who may not read the settings.
const other = await open();
await signIn(other, "eve");
assert.ok([403, 404].includes((await fetch(`${base}v1/settings`, { headers: { authorization: `Bearer ${given.secrets.eve}` } })).status));
await visit(other, "#/tokens", "1 of 10");
await send(admin, "PATCH", "settings", { max_tokens: 1 });
await visit(other, "#/new?name=one-too-many", "You have 1 of 1 active tokens");
assert.deepEqual([page, other].flatMap((one) => one.faults), []);
await end();
