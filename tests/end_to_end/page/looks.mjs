// Every state, as people see it: nothing is cut off, and whoever sees, hears or types it can use it.
import { mkdirSync } from "node:fs";
import { assert, audit, base, end, given, open, signIn, visit } from "./browser.mjs";

const STATES = [
  ["tokens", "#/tokens", "backup-server-eu"], ["token", "#/tokens/ana/admin-laptop", "It may"], ["delivered", "#/tokens/ci%40example.com/production-api", "Where it is"], ["deleted", "#/tokens?state=deleted", "old-laptop"], ["empty", "#/tokens?state=expired", "No token has expired"],
  ["new", "#/new?name=invoice-mailer&roles=reader", "will be able to"], ["users", "#/users/bob", "person"], ["roles", "#/roles/writer", "It allows to"], ["manifest", "#/manifests/acme-platform", "Next rotation"],
  ["everybody", "#/tokens?user=*", "ci@example.com/nightly-report"], ["events", "#/events?user=*", "created the user"], ["settings", "#/settings", "Prefix of new secrets"], ["lost", "#/nowhere", "There is no such page"],
];
// The states that documents show, under which name, and how high.
const PICTURES = { 1280: { tokens: ["tokens", 600], delivered: ["token", 1112], new: ["new", 860], secret: ["secret", 640] }, 320: { delivered: ["token-narrow", 800] } };
const NAMES = { "320-light": "invoice-mailer", "320-dark": "report-writer", "768-light": "search-index", "1280-light": "nightly-export", "1280-dark": "mail-relay", "2560-dark": "build-cache" };
if (given.pictures) mkdirSync(given.pictures, { recursive: true });

/// A picture for the documents: without a secret, and without what only this run has.
async function picture(page, [name, height], width, scheme) {
  await page.setViewportSize({ width, height });
  await page.mouse.move(0, 0);
  await page.evaluate((folder) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(/(lk_[0-9a-z]{16}_)[0-9A-Za-z]{49}/g, "$1...").replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:8787").replaceAll(folder, "/srv/acme").replaceAll("test-machine", "web-1");
  }, given.folder);
  assert.doesNotMatch(await page.textContent("body"), /lk_[0-9a-z]{16}_[0-9A-Za-z]{8}/, "a picture shows a secret");
  await page.screenshot({ path: `${given.pictures}/page-${name}-${scheme}.png` });
  await page.setViewportSize({ width, height: 800 });
}

let audits = 0;
for (const [width, scheme] of [[320, "light"], [320, "dark"], [768, "light"], [1280, "light"], [1280, "dark"], [2560, "dark"]]) {
  const page = await open({ width, height: 800, scheme });
  const seen = async (name) => {
    await audit(page, `${name} at ${width}, ${scheme}`);
    audits += 1;
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${name} is ${over} px too wide at ${width}`);
    const shown = PICTURES[width]?.[name];
    if (given.pictures && shown) await picture(page, shown, width, scheme);
  };
  await page.goto(base);
  await page.getByLabel("Token").waitFor();
  await seen("sign-in");
  await signIn(page, "admin");
  for (const [name, hash, text] of STATES) {
    await visit(page, hash, text);
    await seen(name);
  }
  await visit(page, "#/tokens/ana/admin-laptop", "It may");
  for (const [name, button] of [["edit", "Edit"], ["rotate", "Rotate"], ["delete", "Delete"]]) {
    await page.locator(".sheet").getByRole("button", { name: button }).click();
    await page.getByRole("dialog").waitFor();
    await seen(name);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !document.querySelector("dialog"));
  }
  await page.keyboard.press("?");
  await seen("keys");
  await page.keyboard.press("Escape");
  await visit(page, `#/new?name=${NAMES[`${width}-${scheme}`]}&roles=reader`, "will be able to");
  await page.getByRole("button", { name: "Create" }).click();
  await page.locator("#secret").waitFor();
  await seen("secret");
  await page.getByRole("main").getByRole("button", { name: "I have stored it" }).click();
  await page.getByText("It may").waitFor();
  if (width === 320) {
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Events" }).waitFor();
    await seen("menu");
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
}
console.log(`${audits} states audited`);
await end();
