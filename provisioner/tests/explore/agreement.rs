//! The oracle and the real service are asked the same, in any order, with records old and new: each answer, each refusal
//! and each record that results are the same, ids and digests apart.

use std::sync::Arc;

use jiff::Timestamp;
use latchkey::clock::Clock;
use latchkey::entropy::SystemEntropy;
use latchkey::lifetime::{Seconds, Terms};
use latchkey::moving::Moving;
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Arrival, Look};
use latchkey::role::Permissions;
use latchkey::secret::{Digest, Secret, TokenId};
use latchkey::service::{Edit, Issued, Life, NewToken, Service, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::UserKind;
use provisioner::embedded;
use provisioner::service::{Client, Protocol, ServiceError};

use crate::asks::Asked;
use crate::exploration::place;
use crate::gate::Gate;
use crate::world::{DAY, HOUR, MINUTE, State, World, elapsed, now};

#[derive(Debug)]
struct WorldClock;

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// What is asked. Tokens are known by how many records ago they were told.
#[derive(Debug, Clone, Copy)]
enum Asking {
    Pass(u64),
    Create(usize, usize),
    Places(usize, usize),
    Leaving(usize, bool),
    Terms(usize, bool),
    Rename(usize, usize),
    Stage(usize),
    Announce(usize, u32, usize),
    Withdraw(usize, u32, usize),
    Deliver(usize, u32, usize, Option<u64>),
    /// With what is reported to have arrived, and by a look how long ago.
    Promote(usize, u32, Option<(usize, u64)>),
    Retire(usize, u32, u64, bool),
    Forget(usize, usize, Option<u64>),
    End(usize, u64),
    Confirm(usize, usize),
    Delete(usize),
    Reread(usize),
    All,
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8) % sides
    }

    fn index(&mut self, sides: u64) -> usize {
        usize::try_from(self.throw(sides)).unwrap()
    }

    fn few(&mut self, sides: u64) -> u32 {
        u32::try_from(self.throw(sides)).unwrap()
    }

    /// The last record is asked about most.
    fn record(&mut self) -> usize {
        if self.throw(4) > 0 { 0 } else { self.index(8) }
    }

    fn asking(&mut self) -> Asking {
        let lengths = [MINUTE, 3 * MINUTE, 16 * MINUTE, HOUR, 25 * HOUR, 31 * DAY];
        let looks = [0, 0, 0, MINUTE, 4 * MINUTE, 6 * MINUTE];
        match self.throw(24) {
            0..=3 => Asking::Pass(lengths[self.index(6)]),
            4 | 5 => Asking::Create(self.index(2), self.index(4)),
            6 => Asking::Places(self.record(), self.index(4)),
            7 => Asking::Leaving(self.record(), self.throw(3) > 0),
            8 => Asking::Terms(self.record(), self.throw(2) > 0),
            9 => Asking::Rename(self.record(), self.index(2)),
            10 | 11 => Asking::Stage(self.record()),
            12 | 13 => Asking::Announce(self.record(), self.few(3), self.index(4)),
            14 => Asking::Withdraw(self.record(), self.few(3), self.index(3)),
            15 | 16 => {
                let ago = looks[self.index(6)];
                Asking::Deliver(self.record(), self.few(3), self.index(3), (self.throw(3) > 0).then_some(ago))
            }
            17 | 18 => {
                let arrived = (self.index(4), looks[self.index(6)]);
                Asking::Promote(self.record(), self.few(3), (self.throw(2) > 0).then_some(arrived))
            }
            19 => Asking::Retire(self.record(), self.few(4), looks[self.index(6)], self.throw(4) == 0),
            20 => {
                let ago = looks[self.index(6)];
                Asking::Forget(self.record(), self.index(3), (self.throw(3) > 0).then_some(ago))
            }
            21 => Asking::End(self.record(), looks[self.index(6)]),
            22 => match self.throw(4) {
                0 => Asking::Delete(self.record()),
                1 => Asking::Reread(self.record()),
                _ => Asking::Confirm(self.record(), self.index(6)),
            },
            _ => Asking::All,
        }
    }
}

/// One of the two, with what it has told.
#[derive(Default)]
struct Side {
    told: Vec<Token>,
    secrets: Vec<Secret>,
    ids: Vec<TokenId>,
}

const NAMES: [&str; 2] = ["api", "web"];

fn ids(which: usize) -> Vec<PlaceId> {
    places(which).iter().map(Place::id).collect()
}

fn places(which: usize) -> Vec<Place> {
    let all = [place("a", "API", true), place("b", "API", false), place("c", "API", false)];
    match which {
        0 => all[..1].to_vec(),
        1 => all[..2].to_vec(),
        2 => all.to_vec(),
        _ => all[1..].to_vec(),
    }
}

fn terms(short: bool) -> Terms {
    let (life, every) = if short { (20, 10) } else { (90, 30) };
    Terms { expires_in: Seconds::days(life), rotate_every: Seconds::days(every), overlap: Seconds::hours(24) }
}

impl Side {
    fn record(&self, ago: usize) -> Option<Token> {
        self.told.len().checked_sub(ago + 1).map(|index| self.told[index].clone())
    }

    /// A record in words, with ids and digests named by their order.
    fn words(&mut self, token: &Token) -> String {
        if !self.ids.contains(&token.id) {
            self.ids.push(token.id.clone());
        }
        let index = self.ids.iter().position(|id| *id == token.id).unwrap();
        let mut token = token.clone();
        token.id = format!("{index:016}").parse().unwrap();
        for version in &mut token.versions {
            version.digest = Digest::of(&version.number.to_be_bytes()).into();
        }
        for retired in &mut token.retired {
            retired.fingerprint = Digest::of(&retired.number.to_be_bytes()).fingerprint();
        }
        format!("{token:?}")
    }

    fn tell(&mut self, answer: Result<Token, ServiceError>) -> String {
        match answer {
            Ok(token) => {
                let words = self.words(&token);
                self.told.push(token);
                words
            }
            Err(error) => refusal(&error),
        }
    }

    fn carry(&mut self, answer: Result<Issued, ServiceError>) -> String {
        let answer = answer.map(|carried| {
            self.secrets.push(carried.secret);
            carried.token
        });
        self.tell(answer)
    }
}

fn refusal(error: &ServiceError) -> String {
    match error {
        ServiceError::Version(error) => format!("refused: {error:?}"),
        ServiceError::Gone(_) => "gone".to_owned(),
        ServiceError::Refused(refusal) => refusal.code.clone(),
        ServiceError::Unavailable(why) => panic!("{why}"),
    }
}

/// Asks one of the two, and answers in words.
async fn ask(service: &dyn Protocol, side: &mut Side, asking: Asking) -> String {
    let manifest = "acme".parse().unwrap();
    let of = |ago: usize| side.record(ago);
    let back = |token: &Token, back: u32| token.highest.saturating_sub(back).max(1);
    let place = |index: usize| places(2)[index].id();
    match asking {
        Asking::Pass(_) | Asking::Delete(_) => String::new(),
        Asking::Create(name, which) => {
            let key = TokenKey::new("ci".parse().unwrap(), NAMES[name].parse().unwrap());
            let new = NewToken {
                roles: Some(vec!["reader".parse().unwrap()]),
                places: places(which),
                ..NewToken::new(key, Life::Managed { manifest, terms: terms(false) })
            };
            let created = service.create(new).await;
            side.carry(created)
        }
        Asking::All => {
            let all = service.managed_tokens(&manifest).await.unwrap().tokens;
            let ids = side.ids.clone();
            let mut origins = service.origins(&manifest, &ids).await.unwrap();
            origins.sort_by_key(|origin| ids.iter().position(|id| *id == origin.id));
            let origins: Vec<_> =
                origins.into_iter().map(|origin| (origin.name, origin.ended, origin.fingerprints.len())).collect();
            let words: Vec<String> = all.iter().map(|token| side.words(token)).collect();
            format!("{words:?} {origins:?}")
        }
        Asking::Confirm(ago, index) => {
            let (Some(token), Some(secret)) = (of(ago), side.secrets.iter().rev().nth(index)) else {
                return String::new();
            };
            format!("{:?}", service.confirm(&manifest, &token, secret).await.unwrap())
        }
        Asking::Stage(ago) => {
            let Some(token) = of(ago) else { return String::new() };
            let staged = service.stage(&token).await;
            side.carry(staged)
        }
        Asking::Announce(ago, number, which) => {
            let Some(token) = of(ago) else { return String::new() };
            let announced = service.announce(&token, back(&token, number), &ids(which)).await;
            let told = |announced: provisioner::service::Announced| {
                format!("{:?} {:?}", announced.write_before.left(), announced.announcement)
            };
            announced.map_or_else(|error| refusal(&error), told)
        }
        Asking::Withdraw(ago, number, index) => {
            let Some(token) = of(ago) else { return String::new() };
            // The announcement that was made of that very record, if there was one.
            let withdrawn = service.withdraw(&token, back(&token, number), &place(index), token.revision).await;
            withdrawn.map_or_else(|error| refusal(&error), |()| "withdrawn".to_owned())
        }
        Asking::Places(ago, _)
        | Asking::Leaving(ago, _)
        | Asking::Terms(ago, _)
        | Asking::Rename(ago, _)
        | Asking::Deliver(ago, ..)
        | Asking::Promote(ago, ..)
        | Asking::Retire(ago, ..)
        | Asking::Forget(ago, ..)
        | Asking::End(ago, _)
        | Asking::Reread(ago) => {
            let Some(token) = of(ago) else { return String::new() };
            let edit = match asking {
                Asking::Places(_, which) => Edit { places: Some(places(which)), ..Edit::default() },
                Asking::Leaving(_, leaving) => Edit { leaving: Some(leaving), ..Edit::default() },
                Asking::Terms(_, short) => Edit { terms: Some(terms(short)), ..Edit::default() },
                Asking::Rename(_, name) => Edit { name: Some(NAMES[name].parse().unwrap()), ..Edit::default() },
                _ => Edit::default(),
            };
            let look = |ago: u64| Look { at: Seconds(ago).before(now()), revision: token.revision };
            let answer = match asking {
                Asking::Deliver(_, number, index, ago) => {
                    let looked_at = ago.map(|ago| Seconds(ago).before(now()));
                    let place = place(index);
                    let arrival = Arrival { looked_at, repairs: number == 0, ..Arrival::new(&place, "r1") };
                    service.deliver(&token, back(&token, number), &arrival).await
                }
                Asking::Promote(_, number, arrived) => {
                    let (ids, ago) = arrived.map_or((Vec::new(), 0), |(which, ago)| (ids(which), ago));
                    let looked_at = Some(Seconds(ago).before(now()));
                    let arrivals = ids.iter().map(|id| Arrival { looked_at, ..Arrival::new(id, "r2") });
                    service.promote(&token, back(&token, number), &arrivals.collect::<Vec<_>>()).await
                }
                Asking::Retire(_, number, ago, force) => {
                    service.retire(&token, back(&token, number), look(ago), force).await
                }
                Asking::Forget(_, index, ago) => {
                    let at = ago.map(|ago| Seconds(ago).before(now()));
                    service.forget(&token, &place(index), at).await
                }
                Asking::End(_, ago) => service.end_leaving(&token, look(ago)).await,
                Asking::Reread(_) => service.reread(&manifest, &token).await,
                _ => service.edit(&token, &edit).await,
            };
            side.tell(answer)
        }
    }
}

async fn prepare(service: &dyn Protocol) {
    let (manifest, role) = ("acme".parse().unwrap(), "reader".parse().unwrap());
    let permissions: Permissions = std::iter::once("documents:read".parse().unwrap()).collect();
    service.put_role(&role, &permissions, (Some(&manifest), &Moving::default())).await.unwrap();
    let change = UserChange {
        kind: Some(UserKind::Service),
        roles: Some(vec![role]),
        managed_by: Some(manifest),
        ..UserChange::default()
    };
    service.put_user(&"ci".parse().unwrap(), &change).await.unwrap();
}

#[test]
fn the_oracle_answers_as_the_service_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (rounds, each) = if crate::full() { (600, 80) } else { (60, 60) };
    let (mut granted, mut refused) = (0, 0);
    for seed in 1..=rounds {
        let world = World::new(State::default());
        let gate = Gate::new(&world);
        let oracle = Asked { gate: gate.clone() };
        let real = runtime.block_on(async {
            let table = embedded::memory().unwrap();
            let service = Service::open(table, Arc::new(WorldClock), Arc::new(SystemEntropy)).await.unwrap();
            Client::operator_by(elapsed, service, "test")
        });
        runtime.block_on(prepare(real.protocol()));
        gate.answered(prepare(&oracle));
        let (mut theirs, mut ours) = (Side::default(), Side::default());
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut before = Vec::new();
        for _ in 0..each {
            let asking = dice.asking();
            before.push(asking);
            match asking {
                Asking::Pass(length) => world.state().pass(length),
                Asking::Delete(ago) => {
                    if let (Some(token), Some(own)) = (theirs.record(ago), ours.record(ago)) {
                        // Whoever deletes means the token at hand.
                        let deleted = runtime.block_on(real.delete(&token)).is_ok();
                        let key = own.key();
                        let same = world.state().service.active.get(&key).is_some_and(|held| held.id == own.id);
                        if same {
                            world.state().delete(&key);
                        }
                        assert!(!deleted || same, "seed {seed}: {before:?}");
                    }
                }
                _ => {
                    let wanted = runtime.block_on(ask(real.protocol(), &mut theirs, asking));
                    let answer = gate.answered(ask(&oracle, &mut ours, asking));
                    assert_eq!(answer, wanted, "seed {seed}, after {before:?}");
                    if answer.starts_with("Token") { granted += 1 } else { refused += 1 }
                }
            }
        }
    }
    println!("{granted} records, {refused} other answers");
    assert!(granted > 500 && refused > 500, "{granted} records and {refused} other answers are hardly a comparison");
}
