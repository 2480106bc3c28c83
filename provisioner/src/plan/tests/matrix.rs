//! Every find in every state of a record, with one place and with two.

use std::fmt::Write as _;

use super::*;
use crate::plan::Adopt;

const FINDS: [Holds; 10] = [
    Holds::Nothing,
    Holds::Api(1),
    Holds::Api(2),
    Holds::Api(3),
    Holds::Web(1),
    Holds::Ended,
    Holds::Alien,
    Holds::Altered,
    Holds::Unknown,
    Holds::Api(9),
];

/// The states of a record, and when it is looked at.
fn states(places: &[Place]) -> Vec<(&'static str, Option<Token>, i64)> {
    let fresh = || token("api", api_id(), places);
    let current = || rotated(fresh(), 0);
    let staged = |announced: bool| {
        let mut token = current();
        stage(&mut token, DAY);
        if announced {
            token.announce(2, &places[0].id(), at(DAY)).unwrap();
        }
        token
    };
    let retiring = || rotated(current(), DAY);
    let mut used = retiring();
    let last = latchkey::token::Use { first: at(DAY), last: at(2 * DAY), ip: None };
    used.uses.insert("1".to_owned(), last);
    let mut never = fresh();
    stage(&mut never, 0);
    let mut announced_never = never.clone();
    announced_never.announce(1, &places[0].id(), at(0)).unwrap();
    let mut superseded = announced_never.clone();
    stage(&mut superseded, HOUR);
    vec![
        ("no record", None, HOUR),
        ("created", Some(never), HOUR),
        ("created and announced", Some(announced_never), HOUR),
        ("created twice", Some(superseded), 2 * HOUR),
        ("current", Some(current()), DAY),
        ("due", Some(current()), 30 * DAY),
        ("expired", Some(current()), 91 * DAY),
        ("staged", Some(staged(false)), DAY + 60),
        ("staged, announced", Some(staged(true)), DAY + HOUR),
        ("staged, forsaken", Some(staged(true)), 3 * DAY),
        ("in its overlap", Some(retiring()), DAY + HOUR),
        ("after its overlap", Some(retiring()), 3 * DAY),
        ("older used", Some(used), 3 * DAY),
    ]
}

/// Version 9 never was: it stands for a retired one, whose number is kept.
fn with_retired(token: Option<Token>) -> Option<Token> {
    token.map(|mut token| {
        let fingerprint = digest("api", 9).fingerprint();
        token.retired.push(latchkey::token::Retired { number: 9, fingerprint });
        token
    })
}

fn web() -> Token {
    rotated(token("web", id("bbbbbbbbbbbbbbbb"), &[place("a", "WEB")]), 0)
}

const WEB: &str = "[tokens.web]\npush = [{ sink = \"a\", name = \"WEB\" }]\n";

/// The words of `api` alone.
fn words_of_api(scene: &Scene) -> String {
    let mut plan = scene.plan();
    plan.tokens.retain(|token| token.name.as_str() == "api");
    words(&plan)
}

fn scene(text: &str, record: Option<&Token>, now: i64) -> Scene {
    let web = web();
    let records: Vec<&Token> = record.into_iter().chain([&web]).collect();
    Scene::new(&format!("{text}{WEB}"), &records, now)
}

#[test]
fn one_place() {
    let mut table = String::new();
    for (state, record, now) in states(&[place("a", "API")]) {
        let record = with_retired(record);
        writeln!(table, "{state}").unwrap();
        for holds in FINDS {
            let scene = scene(ONE, record.as_ref(), now).look("a", holds);
            let words = words_of_api(&scene);
            let adopting = ONE.replace("name = \"API\"", "name = \"API\", adopt = true");
            let adopted = words_of_api(&self::scene(&adopting, record.as_ref(), now).look("a", holds));
            let mut asked = self::scene(ONE, record.as_ref(), now).look("a", holds);
            asked.options.adopt = Adopt::Tokens([("ci".parse().unwrap(), "api".parse().unwrap())].into());
            assert_eq!(words_of_api(&asked), adopted, "asked for, as if declared: {state}, {holds:?}");
            asked.options.adopt = Adopt::Tokens([("ci".parse().unwrap(), "web".parse().unwrap())].into());
            assert_eq!(words_of_api(&asked), words, "of another token: {state}, {holds:?}");
            let adopted = if adopted == words { String::new() } else { format!("  | adopt: {adopted}") };
            writeln!(table, "  {:<8} {words}{adopted}", format!("{holds:?}")).unwrap();
        }
    }
    insta::assert_snapshot!("one_place", table);
}

#[test]
fn two_places_of_which_the_first_can_be_read() {
    let mut table = String::new();
    let places = [place("a", "API"), place("b", "API")];
    for (state, record, now) in states(&places) {
        let record = with_retired(record);
        for first in [Holds::Api(1), Holds::Api(2)] {
            writeln!(table, "{state}, {first:?} in a").unwrap();
            let Holds::Api(number) = first else { continue };
            for holds in FINDS {
                let scene = scene(TWO, record.as_ref(), now).look("a", first).look("b", holds);
                let lost = words_of_api(&scene);
                // Only what works can have been confirmed.
                let lives =
                    record.as_ref().is_some_and(|record| record.live(at(now)).any(|live| live.number == number));
                let read = if lives { words_of_api(&scene.readable(number, "a")) } else { lost.clone() };
                let read = if read == lost { String::new() } else { format!("  | readable: {read}") };
                writeln!(table, "  {:<8} {lost}{read}", format!("{holds:?}")).unwrap();
            }
        }
    }
    insta::assert_snapshot!("two_places", table);
}
