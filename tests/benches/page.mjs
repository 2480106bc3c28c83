// How soon the page is usable: from its first byte until somebody can type their token, and from the press of "Sign in"
// until the list of their tokens is there. Medians and worst of 30 loads in Debian's Chromium, without and with a cache,
// beside a page that has nothing but a field, which is what the browser itself takes.
//
//   cargo build --release --bin provision && tests/engines.sh
//   node tests/benches/page.mjs target/release/provision
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const [, , binary = "target/release/provision", rounds = "30"] = process.argv;
const { chromium } = createRequire(`${root}/target/engines/page/`)("playwright-core");
const unpacked = join(root, "target/engines/debian/bin/chromium");
const executablePath = existsSync(unpacked) ? unpacked : "/usr/bin/chromium";

const folder = mkdtempSync(join(tmpdir(), "page-"));
const provision = (...words) => execFileSync(resolve(binary), [...words, "--service", "embedded:latchkey.db"], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const secret = provision("bootstrap").trim();
provision("user", "set", "root", "--max-tokens", "60");
for (let number = 0; number < 50; number += 1) provision("token", "create", `backup-server-${number}`, "--user", "root");
const server = spawn(resolve(binary), ["serve", "--service", "embedded:latchkey.db", "--port", "0"], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
const url = await new Promise((found) => server.stdout.once("data", (line) => found(String(line).trim())));

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const watch = () => {
  const look = () => {
    const field = document.querySelector("input");
    if (field && !field.disabled && field.getClientRects().length && document.readyState !== "loading") window.usableAt ??= performance.now();
    else requestAnimationFrame(look);
  };
  look();
};
async function open(context, address) {
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(address);
  await page.waitForFunction(() => window.usableAt && performance.getEntriesByName("first-contentful-paint").length);
  const told = await page.evaluate(() => ({
    firstByte: performance.getEntriesByType("navigation")[0].responseStart,
    painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    usable: window.usableAt,
    bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0),
  }));
  return { page, usable: Math.max(told.usable, told.painted) - told.firstByte, bytes: told.bytes };
}
async function load(context) {
  const { page, usable, bytes } = await open(context, `${url}/`);
  await page.getByLabel("Token").fill(secret);
  const listed = await page.evaluate(() => new Promise((done) => {
    const pressed = performance.now();
    const look = () => (document.querySelectorAll("main#content tbody tr, main#content li").length > 10 ? done(performance.now() - pressed) : requestAnimationFrame(look));
    [...document.querySelectorAll("button")].find((button) => button.textContent.trim() === "Sign in").click();
    look();
  }));
  await page.close();
  return { usable, listed, bytes };
}
const told = (name, of) => {
  const sorted = [...of].sort((one, other) => one - other);
  console.log(`${name}: median ${sorted[Math.floor(sorted.length / 2)].toFixed(0)} ms, worst ${sorted.at(-1).toFixed(0)} ms`);
};
const bare = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>Bare</title><p>Bare <input>"));
await new Promise((listens) => bare.listen(0, "127.0.0.1", listens));
const floor = [];
for (let round = 0; round < Number(rounds); round += 1) {
  const context = await browser.newContext();
  floor.push((await open(context, `http://127.0.0.1:${bare.address().port}/`)).usable);
  await context.close();
}
told("a page with nothing but a field", floor);
for (const cached of [false, true]) {
  const runs = [];
  let context = await browser.newContext();
  await load(context);
  for (let round = 0; round < Number(rounds); round += 1) {
    if (!cached) {
      await context.close();
      context = await browser.newContext();
    }
    runs.push(await load(context));
  }
  await context.close();
  console.log(`${cached ? "with" : "without"} a cache, ${(runs[0].bytes / 1024).toFixed(1)} KiB over the wire`);
  told("  first byte to usable", runs.map((run) => run.usable));
  told("  sign in to a list of 51 tokens", runs.map((run) => run.listed));
}
bare.close();
await browser.close();
server.kill();
