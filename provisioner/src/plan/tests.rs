//! The promises of the plan, situation by situation: manifests are read from text, records are made by the service's
//! own rules, and what places hold is said in one word.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::Timestamp;
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Arrival, Keeps};
use latchkey::secret::{Digest, TokenId};
use latchkey::service::{Origin, Role};
use latchkey::token::{Token, TokenKey};
use latchkey::user::{User, UserKind};

use super::*;
use crate::manifest::parse;
use crate::observe::Observed;
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{Receipt, Seen, SeenEntry, SinkError};

mod lagging;
mod matrix;
mod properties;
mod retiring;
mod rules;
mod select;
mod timing;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// So many seconds after the beginning of a test.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn id(text: &str) -> TokenId {
    text.parse().unwrap()
}

fn api_id() -> TokenId {
    id("aaaaaaaaaaaaaaaa")
}

/// The manifest's head; tokens follow.
const HEAD: &str = r#"manifest = "acme"
[defaults]
user = "ci"
expires_in = "90d"
rotate_every = "30d"
overlap = "24h"
[roles.reader]
permissions = ["documents:read"]
[users.ci]
kind = "service"
roles = ["reader"]
[sinks.a]
type = "dotenv"
path = "a.env"
[sinks.b]
type = "dotenv"
path = "b.env"
"#;

fn manifest(tokens: &str) -> Manifest {
    let text = format!("{HEAD}{tokens}");
    match parse(Path::new("tokens.toml"), Path::new("/repo"), &text, &Allowances::default()) {
        Ok((manifest, _)) => manifest,
        Err(faults) => panic!("{}", faults.render(false)),
    }
}

const ONE: &str = "[tokens.api]\npush = [{ sink = \"a\", name = \"API\" }]\n";
const TWO: &str = "[tokens.api]\npush = [{ sink = \"a\", name = \"API\" }, { sink = \"b\", name = \"API\" }]\n";

/// The place of a push in sink `a` or `b`; `b` can be read.
fn place(sink: &str, name: &str) -> Place {
    Place::new("fake", &[("machine", "here"), ("sink", sink), ("name", name)], true)
}

fn digest(name: &str, number: u32) -> Digest {
    Digest::of(format!("{name} {number}").as_bytes())
}

/// A record of the manifest, without versions.
fn token(name: &str, token_id: TokenId, places: &[Place]) -> Token {
    let declaration = &manifest(ONE).tokens[0];
    let key = TokenKey::new(declaration.user.clone(), name.parse().unwrap());
    let mut token = Token::new(token_id, key, "operator:test", at(0));
    token.roles = vec!["reader".parse().unwrap()];
    token.managed_by = Some("acme".parse().unwrap());
    token.terms = Some(declaration.terms);
    token.declare_places(places).unwrap();
    token
}

fn stage(token: &mut Token, when: i64) -> u32 {
    let next = token.highest + 1;
    let name = token.name.to_string();
    token.stage(digest(&name, next), at(when)).unwrap()
}

fn deliver(token: &mut Token, places: &[Place], when: i64) {
    for place in places {
        token.announce(token.highest, &place.id(), at(when)).unwrap();
        token.deliver(token.highest, &Arrival::new(&place.id(), "r1"), at(when)).unwrap();
    }
}

/// A further version, delivered everywhere and current.
fn rotated(mut token: Token, when: i64) -> Token {
    stage(&mut token, when);
    let places: Vec<Place> = token.places.values().filter(|record| record.declared).map(|r| r.place.clone()).collect();
    deliver(&mut token, &places, when);
    token.promote(token.highest, at(when)).unwrap();
    token
}

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    /// A version of `api`.
    Api(u32),
    /// A version of `web`, another token of the manifest.
    Web(u32),
    /// A token of the manifest that has ended.
    Ended,
    /// Nothing that the service knows, read whole.
    Alien,
    /// Changed by hand, and not read whole.
    Altered,
    /// Out of sight.
    Unknown,
}

fn seen(holds: Holds) -> Result<Seen, SinkError> {
    let shown = |digest: Digest, token_id| {
        let fingerprint = Some(digest.fingerprint());
        Ok(Seen::Holds(SeenEntry {
            fingerprint,
            token_id,
            receipt: Receipt("r1".to_owned()),
            former: Vec::new(),
            lagging: None,
        }))
    };
    match holds {
        Holds::Nothing => Ok(Seen::Absent),
        Holds::Api(number) => shown(digest("api", number), Some(api_id())),
        Holds::Web(number) => shown(digest("web", number), Some(id("bbbbbbbbbbbbbbbb"))),
        Holds::Ended => shown(digest("ended", 1), Some(id("cccccccccccccccc"))),
        Holds::Alien => shown(digest("alien", 1), None),
        Holds::Altered => {
            let receipt = Receipt("r2".to_owned());
            Ok(Seen::Holds(SeenEntry { fingerprint: None, token_id: None, receipt, former: Vec::new(), lagging: None }))
        }
        Holds::Unknown => Err(SinkError::Unreachable { reason: "down".to_owned() }),
    }
}

/// A plan in the making.
#[derive(Debug)]
struct Scene {
    manifest: Manifest,
    observation: Observation,
    options: Options,
}

impl Scene {
    /// The manifest's tokens with their records, at an instant; roles and users are as declared.
    fn new(text: &str, records: &[&Token], now: i64) -> Self {
        let manifest = manifest(text);
        let named = |name: &TokenName| records.iter().find(|token| token.name == *name).map(|token| (*token).clone());
        let places = |index: usize| {
            let push = |push: &latchkey_sinks::PushDeclaration| Ok(place(&push.sink, &push.name));
            manifest.tokens[index].pushes.iter().map(push).collect()
        };
        let observed = |(index, declaration): (usize, &crate::manifest::TokenDeclaration)| Observed {
            places: places(index),
            record: named(&declaration.name).map(std::sync::Arc::new),
            moving: None,
        };
        let tokens: Vec<Observed> = manifest.tokens.iter().enumerate().map(observed).collect();
        let declared = |token: &Token| manifest.tokens.iter().any(|declared| declared.name == token.name);
        let undeclared = records.iter().filter(|token| !declared(token)).map(|token| (*token).clone()).collect();
        let owner = Some(manifest.name.clone());
        let role = |(name, role): (&RoleName, &crate::manifest::RoleDeclaration)| {
            let permissions = role.permissions.clone();
            let (name, managed_by) = (name.clone(), owner.clone());
            (name.clone(), Role { name, permissions, holders: 1, managed_by, moved_to: None, revision: 1 })
        };
        let user = |(name, user): (&UserName, &crate::manifest::UserDeclaration)| {
            let found = User {
                name: name.clone(),
                kind: UserKind::Service,
                roles: user.roles.clone(),
                suspended: false,
                suspended_at: None,
                suspended_by: None,
                max_tokens: user.max_tokens,
                active: 1,
                email: None,
                managed_by: owner.clone(),
                moved_to: None,
                created: at(0),
                losing: Vec::new(),
                former: None,
                sweeping: false,
                revision: 1,
            };
            (name.clone(), found)
        };
        let ended = Origin {
            id: id("cccccccccccccccc"),
            user: "ci".parse().unwrap(),
            name: "ended".parse().unwrap(),
            managed_by: owner.clone(),
            ended: true,
            fingerprints: vec![digest("ended", 1).fingerprint()],
        };
        let observation = Observation {
            clock: None,
            identities: std::collections::HashMap::new(),
            leads: HashMap::new(),
            at: at(now),
            roles: manifest.roles.iter().map(role).collect(),
            users: manifest.users.iter().map(user).collect(),
            tokens,
            undeclared,
            looks: HashMap::new(),
            origins: HashMap::from([(ended.id.clone(), ended)]),
            hidden: BTreeSet::new(),
            available: HashMap::new(),
            machine: "here".to_owned(),
            expired: BTreeMap::new(),
            max_tokens: 10,
            looked_at: true,
        };
        Self { manifest, observation, options: Options::default() }
    }

    fn look(mut self, sink: &str, holds: Holds) -> Self {
        self.observation.looks.insert(place(sink, "API").id(), seen(holds));
        self
    }

    /// Consumers of the sink lag behind its entry.
    fn lagging(mut self, sink: &str) -> Self {
        if let Some(Ok(Seen::Holds(held))) = self.observation.looks.get_mut(&place(sink, "API").id()) {
            held.lagging = Some("no deployment is newer".to_owned());
        }
        self
    }

    /// The version of `api` can be read back from the sink.
    fn readable(mut self, number: u32, sink: &str) -> Self {
        self.observation.available.insert((api_id(), number), place(sink, "API").id());
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn plan(&self) -> Plan {
        plan(&self.manifest, &self.observation, &self.options)
    }

    /// What is done to all tokens, in words of this test.
    fn words(&self) -> String {
        words(&self.plan())
    }
}

fn words(plan: &Plan) -> String {
    let mut words: Vec<String> = Vec::new();
    for token in &plan.tokens {
        let prefix = if token.name.as_str() == "api" { String::new() } else { format!("{}: ", token.name) };
        let changes = token.changes.iter().map(change_words);
        let blocked = token.blocked.iter().map(|blocked| format!("! {}", blocked_words(blocked)));
        let notes = token.notes.iter().map(|note| format!(". {}", note_words(note)));
        words.extend(changes.chain(blocked).chain(notes).map(|word| format!("{prefix}{word}")));
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// `a` or `b`.
fn sink_of(place_id: &PlaceId) -> &'static str {
    ["a", "b"].into_iter().find(|sink| place(sink, "API").id() == *place_id).unwrap_or("?")
}

fn change_words(change: &Change) -> String {
    match change {
        Change::Create => "create".to_owned(),
        Change::Move { from, name } => format!("move {name} from {from}"),
        Change::Rename { from } => format!("rename {from}"),
        Change::TakeOver => "take over".to_owned(),
        Change::Update(fields) => {
            format!("update {}", fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join("+"))
        }
        Change::NewVersion(reason) => format!("new {}", reason.code()),
        Change::Resume { number, from, to } => {
            let to: Vec<&str> = to.iter().map(sink_of).collect();
            format!("resume {number} {}->{}", from.as_ref().map_or("", sink_of), to.join("+"))
        }
        Change::Mend { number, from, to, .. } => format!("mend {number} {}->{}", sink_of(from), sink_of(to)),
        Change::Retire { number } => format!("retire {number}"),
        Change::Remove { place } => format!("remove {}", sink_of(place)),
        Change::Forget { place } => format!("forget {}", sink_of(place)),
        Change::Merge { from, into } => format!("merge {} into {}", sink_of(&from.id()), sink_of(into)),
        Change::Leave => "leave".to_owned(),
        Change::Delete => "delete".to_owned(),
    }
}

fn blocked_words(blocked: &Blocked) -> String {
    match blocked {
        Blocked::NotQuiet { place, .. } => format!("not quiet {}", sink_of(place)),
        Blocked::Foreign(place) => format!("foreign {}", sink_of(place)),
        Blocked::OtherManifest { place, manifest, .. } => format!("{manifest}'s {}", sink_of(place)),
        Blocked::Unreachable { place, .. } => format!("unreachable {}", sink_of(place)),
        Blocked::NoPlace { push, .. } => format!("no place {push}"),
        Blocked::Renamed { from, .. } => format!("renamed {from}"),
        Blocked::HiddenManifest(place) => format!("somebody's {}", sink_of(place)),
        Blocked::NotAgreed { manifest, name, .. } => format!("{manifest} keeps {name}"),
        Blocked::MovesWhole(manifest) => format!("whole from {manifest}"),
        Blocked::OtherUser(user) => format!("other user {user}"),
        Blocked::TooManyVersions { live, until, .. } => {
            format!("{live} live until {:?}", until.map(|until| until.duration_since(at(0)).as_secs()))
        }
        Blocked::UsedLately { number, .. } => format!("{number} used lately"),
        Blocked::Everywhere { sinks, .. } => format!("everywhere, also {}", sinks.join("+")),
        Blocked::UserLeftOut(user) => format!("needs {user}"),
        Blocked::Unwritable { place, .. } => format!("unwritable {}", sink_of(place)),
        Blocked::NotGranted { missing, .. } => format!("not granted {}", missing.join("+")),
    }
}

fn note_words(note: &Note) -> String {
    match note {
        Note::Kept { number, why } => match why {
            Keeps::Overlap { .. } | Keeps::Announced { .. } => format!("{number} later"),
            Keeps::Used { .. } => format!("{number} used"),
            Keeps::Unreachable(place) => format!("{number} perhaps in {}", sink_of(place)),
            Keeps::AwaitsDeployment(place, _) => format!("{number} perhaps read in {}", sink_of(place)),
            Keeps::Unrepaired(place) => format!("{number} after {}", sink_of(place)),
            Keeps::Current | Keeps::Newest | Keeps::HeldBy(_) => panic!("nothing is said of {why:?}"),
        },
        Note::StaysWhileLagging { place, .. } => format!("stays {}", sink_of(place)),
        Note::Leaving { place, .. } => format!("leaving {}", sink_of(place)),
        Note::OutOfSight { place, .. } => format!("unseen {}", sink_of(place)),
        Note::LoginMayNot { place, .. } => format!("not by this login {}", sink_of(place)),
        Note::NotLookedAt { place, .. } => format!("not looked at {}", sink_of(place)),
        Note::GrantLacks { missing, .. } => format!("grant lacks {}", missing.join("+")),
        Note::Expires { number, .. } => format!("{number} expires"),
        Note::Expired { number, places, unseen, .. } => {
            let all: Vec<&str> = places.iter().chain(unseen).map(sink_of).collect();
            format!("{number} expired in {}", all.join("+"))
        }
        Note::ChangedAgain { place, times, .. } => format!("{} changed {times} times", sink_of(place)),
        Note::LeftBehind { place, number, .. } => format!("{number} left in {}", sink_of(place)),
        Note::MovesTo { to, .. } => format!("moves to {to}"),
        Note::Left { to, taken } => format!("left for {to}: {taken}"),
        Note::Ahead { .. } => "recorded ahead".to_owned(),
        Note::UnknownVersion { places } => format!("unknown in {}", sink_of(&places[0])),
        Note::UnknownToken { places } => format!("stranger in {}", sink_of(&places[0])),
        Note::NotDeclared { .. } => "not declared".to_owned(),
        Note::EndsAfter(_) => "ends later".to_owned(),
        Note::WaitsForWindow { opens, .. } => format!("window {}", opens.duration_since(at(0)).as_secs()),
        Note::OutsideWindow { number, .. } => format!("outside for {number}"),
        Note::WaitsForRestarts { most, .. } => format!("after {most} restarts"),
        Note::WaitsForAll(reason) => format!("waits {}", reason.as_ref().map_or("promotion", Reason::code)),
    }
}
