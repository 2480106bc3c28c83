// Numbers, times, permissions, places and events, in words.

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const DAY = 86_400_000;
/// A form that is made when it is needed first: each takes milliseconds, which nobody who is to sign in waits for.
const lazily = (make) => { let made; return { format: (...given) => (made ??= make()).format(...given) }; };
const dates = (form) => lazily(() => new Intl.DateTimeFormat("en-GB", { ...form, timeZone: "UTC" }));
const dayForm = dates({ day: "numeric", month: "long", year: "numeric" });
const shortForm = dates({ day: "numeric", month: "short", year: "numeric" });
const timeForm = dates({ hour: "2-digit", minute: "2-digit" });
const relativeForm = lazily(() => new Intl.RelativeTimeFormat("en", { numeric: "auto" }));

/// A day. What ends at midnight ends with the day before.
const endDay = (instant, form = dayForm) => {
  const time = Date.parse(instant);
  return form.format(time % DAY === 0 ? time - 1 : time);
};
const exact = (instant) => `${shortForm.format(Date.parse(instant))}, ${timeForm.format(Date.parse(instant))} UTC`;
const exactEnd = (instant) => (Date.parse(instant) % DAY === 0 ? `the end of ${endDay(instant)}, UTC` : exact(instant));

function relative(instant, now = Date.now()) {
  const difference = (Date.parse(instant) - now) / 1000;
  const size = Math.abs(difference);
  if (size < 45) return difference < 0 ? "just now" : "in a moment";
  const [unit, seconds] = [["minute", 60], ["hour", 3600], ["day", 86_400], ["month", 2_629_800], ["year", 31_557_600]]
    .findLast(([, seconds]) => size >= seconds * (seconds === 60 ? 0.75 : seconds === 2_629_800 ? 2 : 1));
  return relativeForm.format(Math.round(difference / seconds) || Math.sign(difference), unit);
}
const when = (instant, given = {}) =>
  h("time", { datetime: instant, title: given.end ? exactEnd(instant) : exact(instant), class: given.class }, relative(instant));

const isoDay = (time) => new Date(time).toISOString().slice(0, 10);

/// A permission, as one would say it: "read documents".
function allows(permission) {
  const [resource, action] = permission.split(":");
  const words = (text) => text.replaceAll("-", " ");
  if (permission === "*:*") return "do everything, administer Latchkey included";
  if (permission === "tokens:introspect") return "check other tokens";
  if (permission === "tokens:write") return "create, change and delete tokens of its own user";
  if (resource === "manifests") return action === "*" ? "apply every manifest" : `apply the manifest ${action}`;
  if (resource === "manifests-read") return action === "*" ? "plan every manifest" : `plan the manifest ${action}`;
  if (resource === "admin") {
    const known = { tokens: "manage everybody's tokens", users: "manage users", roles: "manage roles and what manifests may grant",
      audit: "read all events", settings: "change the settings", "*": "administer Latchkey" };
    return known[action] ?? `administer ${words(action)}`;
  }
  if (resource === "*") return `${words(action)} everything`;
  return action === "*" ? `do anything with ${words(resource)}` : `${words(action)} ${words(resource)}`;
}
/// A list as one says it.
const listed = (words) => (words.length < 3 ? words.join(" and ") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const allowedBy = (permissions) => (permissions.length ? listed(permissions.map(allows)) : "do nothing yet, as no role allows anything");

const KINDS = { dotenv: "File", vercel: "Vercel", heroku: "Heroku", "aws-secrets-manager": "Secrets Manager", "azure-key-vault": "Key Vault", keyring: "Keyring" };
const kindOf = (place) => KINDS[place.kind] ?? place.kind;
/// A place in words: the entry, and what it is in.
function placeIn(place) {
  const parts = Object.fromEntries(place.parts);
  const { name, entry, secret, ...rest } = parts;
  const inside = Object.entries(rest).filter(([part]) => part !== "endpoint").map(([, value]) => value);
  return { kind: kindOf(place), name: name ?? entry ?? secret ?? "", inside: inside.join(", ") };
}

// Words that tell no token from another; a test holds them to those of the service.
const EMPTY_WORDS = ["test", "testing", "token", "tokens", "my", "the", "new", "api", "temp", "tmp", "foo", "bar", "abc", "key", "secret", "default", "name"];
const nameAdvice = (name) => {
  const says = name.toLowerCase().split(/[-_.]/).map((word) => word.replace(/[0-9]+$/, "")).some((word) => word.length > 1 && !EMPTY_WORDS.includes(word));
  return name && !says ? "This name says neither what uses the token nor where; try `production-api-server`." : undefined;
};
/// What the form of names refuses, or nothing.
const nameFault = (name) => {
  if (!name) return "Give the token a name.";
  if (name.length > 64) return "A name has at most 64 characters.";
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) return "A name has letters, digits, `.`, `_` and `-`, and starts and ends with a letter or digit.";
  return undefined;
};
const variable = (name) => name.toUpperCase().replace(/[^A-Z0-9]+/g, "_").replace(/^([0-9])/, "_$1").replace(/(_?TOKEN)?$/, "_TOKEN");

const ACTIONS = {
  "token.create": "created", "token.delete": "deleted", "token.edit": "changed", "token.roles": "changed the roles of", "token.expire": "recorded the expiry of",
  "token.prune": "deleted, as its manifest no longer declares it,", "token.move": "moved", "token.agree": "agreed to move", "token.expiring": "sent notice of the coming expiry of",
  "token.new_address": "used from a new address", "token.overdue": "sent notice of the overdue rotation of", "token.rotation_failed": "could not rotate",
  "version.stage": "staged a new version of", "version.announce": "announced a delivery of", "version.deliver": "delivered", "version.withdraw": "withdrew an announcement of",
  "version.promote": "promoted a new version of", "version.retire": "retired an older version of", "version.compromised": "revoked a leaked version of",
  "user.create": "created the user", "user.change": "changed the user", "user.delete": "deleted the user", "role.put": "set the role", "role.delete": "deleted the role",
  "manifest.apply": "applied the manifest", "manifest.grant": "set the grant of the manifest", "manifest.publish": "published the manifest", "manifest.withdraw": "withdrew the manifest",
  "settings.change": "changed the settings", "lease.take": "started a run of", "lease.steal": "took over the run of",
  "clock.accept": "confirmed the clock", refused: "was refused",
};
/// An event as a sentence, in parts.
function sentence(event) {
  const did = ACTIONS[event.action] ?? event.action;
  const subject = event.token ? [code(event.user.startsWith(":") ? event.token : `${event.user}/${event.token}`)]
    : event.user.startsWith(":") ? [] : [code(event.user)];
  const detail = event.detail ? (event.user.startsWith(":") ? [" ", event.detail] : [h("span", { class: "second" }, `: ${event.detail}`)]) : [];
  const from = event.from ? [h("span", { class: "second" }, ` from ${event.from}`)] : [];
  return [h("b", {}, event.actor), ` ${did} `, subject, detail, from];
}
