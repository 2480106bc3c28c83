mod delivering;
mod ending;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::lifetime::Terms;
use crate::token::{TokenKey, Use};

const TERMS: Terms =
    Terms { expires_in: Seconds::days(90), rotate_every: Seconds::days(30), overlap: Seconds::hours(2) };

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn token(places: &[Place]) -> Token {
    let key = TokenKey::new("ci".parse().unwrap(), "deploy".parse().unwrap());
    let mut token = Token::new("0123456789abcdef".parse().unwrap(), key, "test", start());
    token.managed_by = Some("acme".parse().unwrap());
    token.terms = Some(TERMS);
    token.declare_places(places).unwrap();
    token
}

fn places() -> Vec<Place> {
    vec![Place::new("dotenv", &[("path", "a")], true), Place::new("vercel", &[("name", "b")], false)]
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Stage,
    Announce(u32, usize),
    Deliver(u32, usize),
    Promote(u32),
    Retire { back: u32, look_ago: u64, stale: bool, force: bool },
    Compromised { back: u32, anyway: bool },
    Use(u32),
    Declare(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..400_u64, 800..1000_u64, 3_000..9_000_u64, Just(86_400_u64), 0..8_000_000_u64];
    // Numbers count back from the highest version.
    prop_oneof![
        4 => wait.prop_map(Step::Wait),
        4 => Just(Step::Stage),
        5 => (0..2_u32, 0..2_usize).prop_map(|(back, place)| Step::Announce(back, place)),
        5 => (0..3_u32, 0..2_usize).prop_map(|(back, place)| Step::Deliver(back, place)),
        5 => (0..3_u32).prop_map(Step::Promote),
        5 => (0..5_u32, prop_oneof![3 => Just(0), 1 => 0..400_u64], prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(back, look_ago, stale, force)| Step::Retire { back, look_ago, stale, force }),
        1 => (0..4_u32, any::<bool>()).prop_map(|(back, anyway)| Step::Compromised { back, anyway }),
        2 => (0..4_u32).prop_map(Step::Use),
        1 => (0..3_usize).prop_map(Step::Declare),
    ]
}

/// What was promised about a version, noted beside the rules.
#[derive(Debug, Clone, Default)]
struct Promise {
    announced: Option<Timestamp>,
    overlap_ends: Option<Timestamp>,
    used: Option<Timestamp>,
    works_until: Option<Timestamp>,
}

impl Promise {
    fn works_at_least(&mut self, until: Timestamp) {
        self.works_until = self.works_until.max(Some(until));
    }
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (all, mut now) = (places(), start());
    let mut token = token(&all);
    let mut promises: BTreeMap<u32, Promise> = BTreeMap::new();
    let (mut promoted, mut ever) = (0, 0);
    for step in steps {
        let (before, highest) = (token.clone(), token.highest);
        let nth = |back: u32| highest.saturating_sub(back).max(1);
        let lives = |token: &Token, number: u32| token.live(now).any(|version| version.number == number);
        let mut retired = None;
        match step {
            Step::Wait(seconds) => now = Seconds(seconds).after(now),
            Step::Stage => {
                let kept: Vec<u32> = before
                    .live(now)
                    .filter(|version| {
                        version.announced.is_some()
                            || version.state != VersionState::Staged
                            || before.uses.contains_key(&version.number.to_string())
                    })
                    .map(|version| version.number)
                    .collect();
                if let Ok(number) = token.stage(Digest::of(&(highest + 1).to_be_bytes()), now) {
                    prop_assert_eq!(number, highest + 1);
                    promises.entry(number).or_default().works_at_least(STAGED_LIFE.after(now));
                }
                for number in kept {
                    prop_assert!(lives(&token, number), "stage dropped version {}", number);
                }
            }
            Step::Announce(back, place) => match token.announce(nth(back), &all[place].id(), now) {
                Ok(announcement) => {
                    prop_assert_eq!(nth(back), highest, "only the highest is announced");
                    prop_assert!(lives(&before, highest));
                    prop_assert_eq!(announcement.write_before, WRITE_BEFORE.after(now));
                    token.revision += 1;
                    let promise = promises.get_mut(&highest).unwrap();
                    promise.announced = Some(now);
                    if token.version(highest).unwrap().state == VersionState::Staged {
                        promise.works_at_least(STAGED_LIFE.after(now));
                    }
                }
                Err(error) => {
                    prop_assert!(highest == 0 || nth(back) != highest || !lives(&before, highest), "{error}");
                }
            },
            Step::Deliver(back, place) => {
                let (number, place) = (nth(back), all[place].id());
                let known = before.version(number).is_some_and(|version| version.deliveries.contains_key(&place));
                let delivered = token.deliver(number, &Arrival::new(&place, "receipt"), now);
                prop_assert_eq!(delivered.is_ok(), known && lives(&before, number));
            }
            Step::Promote(back) => {
                let number = nth(back);
                if token.promote(number, now).is_ok() {
                    prop_assert!(number >= ever, "promotion goes up only");
                    let arrived = |place: &PlaceId| before.version(number).unwrap().delivered_to(place);
                    prop_assert!(before.places.iter().all(|(place, record)| !record.declared || arrived(place)));
                    if number > promoted {
                        for older in before.versions.iter().filter(|older| older.number < number) {
                            let promise = promises.get_mut(&older.number).unwrap();
                            promise.overlap_ends.get_or_insert(TERMS.overlap.after(now));
                        }
                        promises.get_mut(&number).unwrap().works_until = Some(TERMS.expires_in.after(now));
                    }
                    (promoted, ever) = (number, number);
                }
            }
            Step::Retire { back, look_ago, stale, force } => {
                let number = nth(back);
                let look = Look { at: Seconds(look_ago).before(now), revision: token.revision + u64::from(stale) };
                if token.retire(number, look, force, now).is_ok() {
                    let promise = &promises[&number];
                    prop_assert!(!stale && look_ago <= LOOK_MAX.0);
                    prop_assert!(promise.overlap_ends.is_none_or(|end| end <= look.at), "overlap");
                    prop_assert!(promise.announced.is_none_or(|at| QUIET.after(at) <= look.at), "quiet");
                    let unused = Seconds(TERMS.overlap.0.max(3600));
                    prop_assert!(force || promise.used.is_none_or(|at| unused.after(at) <= now), "use");
                    prop_assert!(number != promoted, "the current one stays");
                    if number == highest {
                        let last = promise.announced.unwrap_or(before.version(number).unwrap().created);
                        prop_assert!(STAGED_LIFE.after(last) <= look.at, "the newest one goes on");
                    }
                    retired = Some(number);
                }
            }
            Step::Compromised { back, anyway } => {
                let number = nth(back);
                if token.end_compromised(number, anyway, now).is_ok() {
                    prop_assert!(number < highest, "what takes over is there");
                    prop_assert!(token.live(now).any(|other| other.number > number), "and works");
                    prop_assert!(anyway || number != promoted, "the current one ends on a person's word only");
                    if number == promoted {
                        promoted = 0;
                    }
                    retired = Some(number);
                }
            }
            Step::Use(back) => {
                if lives(&token, nth(back)) {
                    let used = Use { first: now, last: now, ip: None };
                    token.uses.insert(nth(back).to_string(), used);
                    promises.get_mut(&nth(back)).unwrap().used = Some(now);
                }
            }
            Step::Declare(count) => token.declare_places(&all[..count]).unwrap(),
        }
        if token != before {
            token.revision += 1;
        }
        let current = token.versions.iter().filter(|version| version.state == VersionState::Current);
        prop_assert!(current.clone().count() <= 1, "at most one current");
        prop_assert_eq!(current.map(|version| version.number).next().unwrap_or(0), promoted);
        // A current version that has expired is recorded until a newer one is, and takes nobody's place.
        prop_assert!(token.live(now).count() <= VERSIONS_MAX);
        prop_assert!(token.retired.len() <= RETIRED_KEPT);
        let numbers: BTreeSet<u32> = token.versions.iter().map(|version| version.number).collect();
        prop_assert_eq!(numbers.len(), token.versions.len());
        for version in &token.versions {
            let until = promises[&version.number].works_until.unwrap();
            prop_assert!(token.deadline(version) >= until, "version {} ends before {until}", version.number);
        }
        // Nothing disappears but by retirement, death, or the replacement of what nobody had.
        for gone in before.versions.iter().filter(|version| !numbers.contains(&version.number)) {
            let dead = before.deadline(gone) <= now;
            let nobodys = gone.state == VersionState::Staged
                && gone.announced.is_none()
                && !before.uses.contains_key(&gone.number.to_string());
            prop_assert!(dead || nobodys || retired == Some(gone.number), "version {} is gone", gone.number);
            prop_assert_eq!(token.number_of(&gone.fingerprint()), Some(gone.number), "and still known");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn no_sequence_of_operations_breaks_the_rules(steps in proptest::collection::vec(step(), 1..60)) {
        run(steps)?;
    }
}

#[test]
fn a_token_that_never_had_a_place_retires_its_versions_by_time_alone() {
    let mut token = token(&[]);
    let first = token.stage(Digest::of(b"1"), start()).unwrap();
    token.promote(first, start()).unwrap();
    let second = token.stage(Digest::of(b"2"), start()).unwrap();
    token.promote(second, start()).unwrap();
    let end = TERMS.overlap.after(start());
    assert_eq!(token.deadline(token.version(first).unwrap()), end);
    assert_eq!(token.live(end).map(|version| version.number).collect::<Vec<_>>(), [second]);
}

#[test]
fn a_place_that_can_be_read_now_is_recorded_so() {
    let mut token = token(&places());
    let changed = Place { readable: true, ..places()[1].clone() };
    token.declare_places(std::slice::from_ref(&changed)).unwrap();
    assert!(token.places[&changed.id()].place.readable);
    assert!(!token.places[&places()[0].id()].declared);
}

#[test]
fn a_version_that_was_only_staged_was_never_current() {
    let mut token = token(&[]);
    token.stage(Digest::of(b"1"), start()).unwrap();
    token.stage(Digest::of(b"2"), start()).unwrap();
    assert_eq!(token.retired.len(), 1);
    assert!(!token.has_been_current());
    token.promote(2, start()).unwrap();
    assert!(token.has_been_current());
}

#[test]
fn a_compromised_version_ends_at_once_and_the_newest_never_does() {
    let mut token = token(&places());
    token.stage(Digest::of(b"1"), start()).unwrap();
    assert_eq!(token.end_compromised(1, true, start()), Err(VersionError::NotSuperseded(1)), "nothing takes over");
    for place in places() {
        token.announce(1, &place.id(), start()).unwrap();
        token.deliver(1, &Arrival::new(&place.id(), "receipt"), start()).unwrap();
    }
    token.promote(1, start()).unwrap();
    token.stage(Digest::of(b"2"), start()).unwrap();
    assert_eq!(token.end_compromised(1, false, start()), Err(VersionError::IsCurrent(1)));
    assert_eq!(token.end_compromised(2, true, start()), Err(VersionError::NotSuperseded(2)));
    token.end_compromised(1, true, start()).unwrap();
    assert_eq!(token.live(start()).map(|version| version.number).collect::<Vec<_>>(), [2]);
    assert_eq!(token.number_of(&Digest::of(b"1").fingerprint()), Some(1), "a place that holds it is known as ours");
    assert_eq!(token.end_compromised(1, true, start()), Err(VersionError::NotLive(1)));
}

#[test]
fn a_changed_duration_makes_the_token_due() {
    let mut token = token(&[]);
    token.stage(Digest::of(b"1"), start()).unwrap();
    assert_eq!(token.due(), None);
    token.promote(1, start()).unwrap();
    assert_eq!(token.due(), Some(TERMS.rotate_every.after(start())));
    token.terms = Some(Terms { expires_in: Seconds::days(60), ..TERMS });
    assert_eq!(token.due(), Some(start()));
    assert_eq!(token.ends_at(), Some(TERMS.expires_in.after(start())), "what was promised stays");
}
