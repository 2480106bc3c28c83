// What the owner of a token does, by mouse and then by keyboard alone.
import { assert, base, end, given, open, signIn, visit } from "./browser.mjs";

const page = await open();
await page.goto(base);
await page.getByLabel("Token").fill("not a token");
await page.keyboard.press("Enter");
await page.getByText("does not have the form").waitFor();
await page.getByLabel("Token").fill(`${given.secrets.admin.slice(0, -1)}${given.secrets.admin.endsWith("0") ? "1" : "0"}`);
await page.keyboard.press("Enter");
await page.getByText(/does not have the form|does not accept/).waitFor();
await signIn(page, "admin", "#/new?name=made-by-hand&description=For%20the%20test&roles=reader");
await page.getByRole("checkbox", { name: "reader" }).waitFor();
assert.equal(await page.getByRole("checkbox", { name: "reader" }).isChecked(), true, "a link fills the form");
assert.equal(await page.getByLabel("Description").inputValue(), "For the test");
await page.getByLabel("Name").fill("test");
await page.getByText("says neither what uses the token nor where").waitFor();
await page.getByLabel("Name").fill("made-by-hand");
await page.getByText("will be able to read documents, from anywhere, until").waitFor();
await page.getByRole("button", { name: "Create" }).click();

// The secret, once.
const secret = await page.locator("#secret").textContent();
await page.getByRole("button", { name: "Copy the secret" }).click();
await page.getByText("Copied").first().waitFor();
assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
for (const where of [".env", "Shell", "AWS", "Azure", "Heroku", "Vercel", "curl"]) {
  await page.getByRole("button", { name: where, exact: true }).click();
  const line = await page.getByLabel("A line to paste").textContent();
  assert.ok(line.includes(secret), where);
}
await page.evaluate(() => { location.hash = "#/tokens"; });
await page.getByRole("dialog").getByText("shown this once").waitFor();
await page.getByRole("button", { name: "Back to the secret" }).click();
assert.equal(await page.locator("#secret").textContent(), secret, "leaving by mistake loses nothing");
assert.ok(!page.url().includes(secret.slice(20)), "no address holds a secret");
const check = (token) => fetch(`${base}v1/me`, { headers: { authorization: `Bearer ${token}` } });
assert.equal((await check(secret)).status, 200);
await page.getByRole("main").getByRole("button", { name: "I have stored it" }).click();

// The list, narrowed.
await page.getByText("It may").waitFor();
assert.ok(!(await page.content()).includes(secret.slice(20)), "nor what is shown afterwards");
await visit(page, "#/tokens", "backup-server-eu");
const names = () => page.locator("tbody .name").allTextContents();
assert.deepEqual(await names(), ["admin-laptop", "backup-server-eu", "made-by-hand", "soon-gone"]);
await page.getByLabel("Search tokens").fill("for the test");
await page.waitForFunction(() => document.querySelectorAll("tbody .name").length === 1);
assert.deepEqual(await names(), ["made-by-hand"]);
await page.getByRole("button", { name: "Clear" }).click();
await page.waitForFunction(() => document.querySelectorAll("tbody .name").length === 4);
await page.getByLabel("Expiry").selectOption({ label: "expiring within 7 days" });
await page.waitForFunction(() => document.querySelectorAll("tbody .name").length === 1);
assert.deepEqual(await names(), ["soon-gone"]);
await page.getByLabel("Expiry").selectOption({ label: "Any expiry" });
await page.waitForFunction(() => document.querySelectorAll("tbody .name").length === 4);
await page.getByRole("button", { name: "Expires" }).click();
await page.waitForFunction(() => document.querySelector("tbody .name")?.textContent === "soon-gone");

// One token: use, rotation in two steps, and the end.
await page.getByRole("link", { name: "admin-laptop" }).click();
await page.getByText("As numbers").click();
await page.getByRole("table", { name: "Uses a day" }).waitFor();
await visit(page, "#/tokens/ana/made-by-hand", "It may");
await page.getByRole("button", { name: "Rotate" }).click();
await page.getByRole("button", { name: "Create a new secret of made-by-hand" }).click();
const second = await page.locator("#secret").textContent();
assert.notEqual(second, secret);
assert.deepEqual([(await check(secret)).status, (await check(second)).status], [200, 200], "both are valid until it is finished");
await page.getByRole("main").getByRole("button", { name: "I have stored it" }).click();
await page.getByRole("button", { name: "Finish rotation" }).click();
await page.getByText("The new secret was already used").waitFor();
await page.getByRole("button", { name: "Make version 2 current" }).click();
await page.locator(".line li.current").getByText("Version 2").waitFor();
assert.deepEqual([(await check(secret)).status, (await check(second)).status], [401, 200]);
await page.getByRole("button", { name: "Edit" }).click();
await page.getByRole("dialog").getByLabel("Description").fill("Another purpose");
await page.getByRole("button", { name: "Save" }).click();
await page.getByText("Another purpose").first().waitFor();
await page.getByRole("button", { name: "Delete" }).click();
await page.getByText("answered 401 from then on").waitFor();
await page.getByRole("button", { name: "Delete made-by-hand" }).click();
await page.getByText("This is not the name of the token.").waitFor();
assert.equal((await check(second)).status, 200, "where it was used lately its name is typed");
await page.getByLabel("Type the name to delete it").fill("made-by-hand");
await page.getByRole("button", { name: "Delete made-by-hand" }).click();
await page.waitForFunction(() => !document.querySelector("dialog"));
assert.equal((await check(second)).status, 401);
await visit(page, "#/tokens?state=deleted", "made-by-hand");
await page.getByRole("link", { name: "made-by-hand" }).click();
await page.getByText("cannot be restored").waitFor();

// The keyboard alone.
await visit(page, "#/tokens", "backup-server-eu");
await page.keyboard.press("j");
await page.keyboard.press("j");
assert.equal(await page.evaluate(() => document.activeElement.textContent), "backup-server-eu");
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "backup-server-eu" }).waitFor();
await page.keyboard.press("e");
await page.getByRole("dialog").getByText("Edit backup-server-eu").waitFor();
await page.keyboard.press("Escape");
await page.waitForFunction(() => !document.querySelector("dialog"));
await page.keyboard.press("Escape");
// The address changes before what is on the screen does.
await page.waitForFunction(() => !location.hash.includes("backup-server-eu") && !document.querySelector(".sheet"));
await page.keyboard.press("/");
assert.equal(await page.evaluate(() => document.activeElement.id), "search");
await page.keyboard.press("Escape");
await page.keyboard.press("n");
await page.getByRole("heading", { name: "New token" }).waitFor();
await page.getByLabel("Name").focus();
await page.keyboard.type("typed-only");
for (let presses = 0; presses < 40 && (await page.evaluate(() => document.activeElement.type !== "submit")); presses += 1) await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.locator("#secret").waitFor();
for (let presses = 0; presses < 40 && (await page.evaluate(() => document.activeElement.textContent !== "I have stored it")); presses += 1) await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.getByText("It may").waitFor();
await page.keyboard.press("?");
await page.getByRole("dialog").getByText("New token").waitFor();
await page.keyboard.press("Escape");

// A quota that is reached, in words: before the form is filled, and when it is sent.
const limited = await fetch(`${base}v1/users/ana`, { method: "PUT", headers: { authorization: `Bearer ${given.secrets.admin}`, "content-type": "application/json" }, body: JSON.stringify({ max_tokens: 4 }) });
assert.equal(limited.status, 200);
await visit(page, "#/tokens", "4 of 4");
await visit(page, "#/new?name=one-too-many", "You have 4 of 4 active tokens");
await page.getByRole("button", { name: "Create" }).click();
await page.locator(".fault:visible").getByText("4").waitFor();
assert.equal(await page.locator("#secret").count(), 0);
assert.deepEqual(page.faults, []);
await end();
