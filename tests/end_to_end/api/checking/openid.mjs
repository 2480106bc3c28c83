// npm's `openid-client`: it finds introspection by the server's address alone, and sends its secret by HTTP Basic.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const given = JSON.parse(readFileSync(0, "utf8"));
const client = await import(createRequire(`${given.engines}/`).resolve("openid-client"));
const insecure = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };
const basic = client.ClientSecretBasic(given.checker);
const config = await client.discovery(new URL(given.url), "my-app", given.checker, basic, insecure);
const told = [];
for (const token of given.tokens) told.push(await client.tokenIntrospection(config, token));
let refused = "";
try {
  const wrong = client.ClientSecretBasic(given.wrong);
  await client.tokenIntrospection(await client.discovery(new URL(given.url), "x", given.wrong, wrong, insecure), given.tokens[0]);
} catch (error) {
  refused = error.cause?.[0]?.scheme ?? String(error);
}
console.log(JSON.stringify({ told, refused }));
