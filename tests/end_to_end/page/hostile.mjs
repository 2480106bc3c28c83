// Markup in every field that can hold text: in the address, in what was stored by others, in what the server answers.
import { assert, base, end, given, open, signIn } from "./browser.mjs";

const markup = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>";
const page = await open();
await signIn(page, "admin");
for (const hash of ["#/tokens/ana/attacked", "#/tokens", `#/tokens/ana/${encodeURIComponent(markup)}`, `#/new?name=${encodeURIComponent(markup)}&description=${encodeURIComponent(markup)}&roles=${encodeURIComponent(markup)}`,
  `#/tokens?q=${encodeURIComponent(markup)}`, `#/events?user=${encodeURIComponent(markup)}&q=${encodeURIComponent(markup)}`, `#/${encodeURIComponent(markup)}`, "#/%E0%A4%A", `#/users/${encodeURIComponent(markup)}`, "#/javascript:window.pwned=1"]) {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await page.locator("main#content h1").first().waitFor();
  await page.waitForTimeout(150);
}
await page.evaluate(() => { location.hash = "#/tokens/ana/attacked"; });
await page.getByText("<img src=x onerror=window.pwned=1>").first().waitFor();

// A server that answers with markup everywhere.
const spoil = (value) => (typeof value === "string" && !/^\d{4}-\d\d-\d\d/.test(value) && !/^(active|deleted|expired|staged|current|retiring|person|service)$/.test(value) ? `${value}${markup}`
  : Array.isArray(value) ? value.map(spoil) : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, spoil(inside)])) : value);
const spoiled = await open();
await spoiled.route("**/v1/**", async (route) => {
  const answer = await route.fetch();
  if (route.request().url().endsWith("/v1/me")) return route.fulfill({ response: answer });
  const text = await answer.text();
  let body = text;
  try { body = JSON.stringify(spoil(JSON.parse(text))); } catch { /* no JSON */ }
  return route.fulfill({ response: answer, body });
});
await signIn(spoiled, "admin");
for (const hash of ["#/tokens", "#/tokens/ana/attacked", "#/tokens/ci%40example.com/production-api?user=ci%40example.com", "#/users", "#/users/bob", "#/roles", "#/roles/reader", "#/manifests", "#/manifests/acme-platform", "#/events?user=*", "#/settings", "#/new"]) {
  await spoiled.evaluate((to) => { location.hash = to; }, hash);
  await spoiled.waitForTimeout(300);
  assert.ok(await spoiled.locator("main#content h1").first().isVisible(), hash);
}
for (const one of [page, spoiled]) {
  assert.equal(await one.evaluate(() => window.pwned), undefined);
  assert.equal(await one.locator("main img, main script, main iframe, main [onerror]").count(), 0);
  assert.deepEqual(one.faults, []);
}
// No frame, no form elsewhere, nothing that parses markup.
const answer = await fetch(base);
const policy = answer.headers.get("content-security-policy");
for (const word of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"]) assert.ok(policy.includes(word), word);
assert.ok(await page.evaluate(() => { try { document.createElement("div").innerHTML = "<b>x</b>"; return false; } catch { return true; } }), "the browser refuses markup out of text");
assert.ok(given.url.startsWith("http://127.0.0.1"));
await end();
