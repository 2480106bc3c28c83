// What an admin does: users, roles, manifests, settings, events.
import { assert, base, end, given, open, signIn, visit } from "./browser.mjs";

const page = await open();
await signIn(page, "admin", "#/roles");
await page.getByRole("button", { name: "New role" }).click();
await page.getByRole("dialog").getByLabel("Name").fill("auditor");
await page.getByRole("dialog").getByLabel("Permissions").fill("documents:read\nnot a permission");
await page.getByRole("button", { name: "Create" }).click();
await page.getByRole("dialog").locator(".fault:visible").first().waitFor();
await page.getByRole("dialog").getByLabel("Permissions").fill("documents:read\ndocuments:write");
await page.getByRole("button", { name: "Create" }).click();
await page.getByRole("heading", { name: "auditor" }).waitFor();
await page.getByRole("button", { name: "Edit" }).click();
await page.getByRole("dialog").getByLabel("Permissions").fill("documents:read");
await page.getByText("Removes:").waitFor();
await page.getByRole("button", { name: "Save" }).click();
await page.waitForFunction(() => !document.querySelector("dialog") && !document.querySelector(".sheet").textContent.includes("write documents"));

await visit(page, "#/users", "bob");
await page.getByRole("button", { name: "New user" }).click();
await page.getByRole("dialog").getByLabel("Name").fill("bob");
await page.getByRole("button", { name: "Create" }).click();
await page.getByText("There is a user of this name already.").waitFor();
await page.getByRole("dialog").getByLabel("Name").fill("carol");
await page.getByRole("dialog").getByLabel("auditor").check();
await page.getByRole("button", { name: "Create" }).click();
await page.getByRole("heading", { name: "carol" }).waitFor();

// Suspended, every token of a user is refused at once, and valid again when restored.
const check = () => fetch(`${base}v1/me`, { headers: { authorization: `Bearer ${given.secrets.bob}` } }).then((answer) => answer.status);
assert.equal(await check(), 200);
await visit(page, "#/users/bob", "person");
await page.getByRole("button", { name: "Suspend" }).click();
await page.getByRole("button", { name: "Suspend bob" }).click();
await page.getByText("none of the user's tokens is valid").waitFor();
assert.equal(await check(), 401);
await page.getByRole("button", { name: "Restore" }).click();
await page.getByRole("button", { name: "Restore bob" }).click();
await page.waitForFunction(() => !document.querySelector("dialog") && !document.querySelector(".sheet").textContent.includes("Suspended"));
assert.equal(await check(), 200);
await visit(page, "#/users/carol", "auditor");
await page.getByRole("button", { name: "Delete" }).click();
await page.getByRole("button", { name: "Delete carol" }).click();
await page.waitForFunction(() => !document.querySelector("dialog") && !document.querySelector("main").textContent.includes("carol"));

// A manifest's tokens and where they are, and what it is allowed to grant.
await visit(page, "#/manifests", "acme-platform");
await page.getByRole("link", { name: "acme-platform" }).click();
await page.getByRole("rowheader", { name: "ci@example.com/production-api" }).waitFor();
assert.ok(await page.getByRole("columnheader", { name: "File" }).isVisible());
await page.getByRole("button", { name: "Change" }).click();
await page.getByRole("dialog").getByLabel("Permissions").fill("documents:read");
await page.getByRole("button", { name: "Save" }).click();
await page.locator("main .facts").getByText("documents:read").waitFor();
await page.getByRole("link", { name: "ci@example.com/production-api" }).click();
await page.getByText("declared by the manifest").waitFor();
await page.getByRole("button", { name: "Rotate" }).click();
await page.getByText("provision rotate production-api").waitFor();
await page.getByRole("button", { name: "Close", exact: true }).click();

// Everybody's tokens, and everything that happened.
await visit(page, "#/tokens?user=*", "ci@example.com/nightly-report");
assert.ok((await page.locator("tbody .name").count()) >= 5);
await visit(page, "#/events?user=*", "set the grant of the manifest");
await page.getByLabel("Search events").fill("bob");
await page.waitForFunction(() => { const rows = [...document.querySelectorAll(".feed li")]; return rows.length >= 3 && rows.every((row) => row.textContent.includes("bob")); });

await visit(page, "#/settings", "Prefix of new secrets");
await page.getByLabel("Active tokens of a user, at most").fill("20");
// What was saved before may be told still.
const answered = page.waitForResponse((answer) => answer.request().method() === "PATCH" && answer.url().endsWith("v1/settings"));
await page.getByRole("button", { name: "Save" }).click();
await answered;
await page.waitForFunction(async () => document.querySelector("[role=status]").textContent.includes("saved"));
const held = await fetch(`${base}v1/settings`, { headers: { authorization: `Bearer ${given.secrets.admin}` } }).then((answer) => answer.json());
assert.equal(held.max_tokens, 20);
await page.getByLabel("Longest life of a token").fill("soon");
await page.getByRole("button", { name: "Save" }).click();
await page.locator(".fault:visible").first().waitFor();
assert.deepEqual(page.faults, []);
await end();
