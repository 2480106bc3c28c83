// A program as others write it, on the types that `openapi-typescript` makes. It prints what it was answered.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

// Node has it; its types are not installed.
declare const process: { env: Record<string, string> };

const client = createClient<paths>({
  baseUrl: process.env.LATCHKEY_URL,
  headers: { Authorization: `Bearer ${process.env.LATCHKEY_TOKEN}` },
});
const place: components["schemas"]["Place"] = {
  kind: "dotenv",
  parts: [["machine", "build"], ["path", "/srv/.env"], ["name", "TOKEN"]],
  readable: true,
};
const terms = { expires_in: "90d", rotate_every: "30d", overlap: "1d" };

const created = await client.POST("/v1/users/{user}/tokens", {
  params: { path: { user: "ada" } },
  body: { name: "typed", roles: ["reader"], manifest: "typed", terms, places: [place] },
});
if (created.error) throw new Error(created.error.detail);
const listed = await client.GET("/v1/users/{user}/tokens", {
  params: { path: { user: "ada" }, query: { state: "active", limit: 10 } },
});
const read = await client.GET("/v1/users/{user}/tokens/{name}", {
  params: { path: { user: "ada", name: "typed" } },
});
const refused = await client.POST("/v1/users/{user}/tokens", {
  params: { path: { user: "ada" } },
  body: { name: "typed" },
});
const answers = {
  created: created.data.token.name,
  id: created.data.token.id,
  listed: listed.data?.tokens.map((token) => token.name),
  read: read.data?.id,
  place: read.data?.places?.[0]?.place.parts[0],
  status: refused.error?.status,
  code: refused.error?.code,
};
console.log(JSON.stringify(answers));
