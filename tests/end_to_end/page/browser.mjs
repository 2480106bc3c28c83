// A browser, a person in front of it, and what an audit of accessibility finds.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";

export const given = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${given.engines}/`);
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const base = `${given.url}/`;

// On a machine without D-Bus the browser dies now and then while it starts.
const launch = () => chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu"] });
export const browser = await launch().catch(launch).catch(launch);
export { assert, base };

/// A window; `page.faults` has what the browser complains about.
export async function open({ width = 1280, height = 800, scheme = "light", script = true } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: script, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error.stack)));
  page.on("console", (message) => {
    // What the API refuses is no fault of the page.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.faults.push(message.text());
  });
  page.on("request", (request) => { if (!request.url().startsWith(base)) page.faults.push(`asked ${request.url()}`); });
  return page;
}

export async function signIn(page, who, hash = "") {
  await page.goto(base + hash);
  await page.getByLabel("Token").fill(given.secrets[who]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("main#content h1").first().waitFor();
}
/// Goes to a view, and waits until it is there.
export async function visit(page, hash, text) {
  const same = await page.evaluate((to) => {
    window.before = document.querySelector("main#content").firstElementChild;
    const same = location.hash === to;
    location.hash = to;
    return same;
  }, hash);
  if (!same) await page.waitForFunction(() => document.querySelector("main#content")?.firstElementChild !== window.before);
  await page.locator("main#content").getByText(text).filter({ visible: true }).first().waitFor();
}
export async function audit(page, name) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`), [], name);
}
// What was on the screen when something went wrong.
process.on("uncaughtException", async (error) => {
  for (const context of browser.contexts()) for (const page of context.pages()) console.error(await page.textContent("body").catch(() => ""), page.faults);
  console.error(error.stack);
  process.exit(1);
});
export const end = async () => { await browser.close(); console.log("done"); };
