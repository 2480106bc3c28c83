// What Node's readers of `.env` files see: `node readers.js READER FOLDER` prints one JSON object a file, in the order of
// their numbers. None of them gives a file up.
const { readFileSync, readdirSync } = require("node:fs");
const { join } = require("node:path");

const [reader, folder] = process.argv.slice(2);
const parsers = {
  // Of `node --env-file` and `process.loadEnvFile`.
  node: () => require("node:util").parseEnv,
  // The library, in the folder that is named so.
  dotenv: () => require(process.env.LATCHKEY_TEST_READER).parse,
};
const parse = parsers[reader]();
const count = readdirSync(folder).length;
for (let number = 0; number < count; number++) {
  console.log(JSON.stringify({ ...parse(readFileSync(join(folder, `${number}.env`), "utf8")) }));
}
