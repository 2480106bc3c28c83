// A service that checks and creates API keys by better-auth with its plug-in, on the SQLite of Node, as its documents show
// it. Rate limits are off; commits do not wait for the disk, as SQLite's WAL allows it. `node keys.mjs FOLDER DATABASE`, where
// FOLDER has the packages; prints its port and a key, one a line.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const resolve = createRequire(`${folder}/`).resolve;
const load = (name) => import(pathToFileURL(resolve(name)));
const { betterAuth } = await load("better-auth");
const { getMigrations } = await load("better-auth/db/migration");
const { apiKey } = await load("@better-auth/api-key");

const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
const options = {
  database,
  baseURL: "http://127.0.0.1",
  secret: "of a benchmark, and of nothing else at all",
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const { user } = await auth.api.signUpEmail({ body: { name: "ana", email: "ana@example.com", password: "of a benchmark" } });
const create = () => auth.api.createApiKey({ body: { name: "made", userId: user.id } });
const { key } = await create();

const server = createServer(async (request, response) => {
  let [status, answer] = [401, { valid: false }];
  const presented = (request.headers.authorization ?? "").replace("Bearer ", "");
  const checked = await auth.api.verifyApiKey({ body: { key: presented } });
  if (checked.valid && request.method === "POST") {
    [status, answer] = [201, { key: (await create()).key }];
  } else if (checked.valid) {
    [status, answer] = [200, { valid: true, user: checked.key.referenceId }];
  }
  const body = JSON.stringify(answer);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => console.log(`${server.address().port}\n${key}`));
