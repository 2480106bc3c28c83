//! Windows and limits of restarts: what is due may wait, and nothing else does.

use std::fmt::Write as _;

use super::rules::settled;
use super::*;
use crate::plan::calendar::{What, calendar};

/// From Friday to Sunday nothing that is due is rotated. The tests begin on a Friday at eight.
const WINDOW: &str = "[rotation]\nwindow = \"Mon-Fri 09:00-16:00 UTC\"\n";

fn scene(text: &str, token: &Token, now: i64) -> Scene {
    let number = token.current().map_or(1, |current| current.number);
    Scene::new(&format!("{text}{WINDOW}"), &[token], now).look("a", Holds::Api(number))
}

/// When the window opens after the token is due, on a Sunday.
const OPENS: i64 = 30 * DAY + 25 * HOUR;

#[test]
fn what_is_due_waits_for_the_window_and_what_is_asked_for_does_not() {
    let token = settled();
    assert_eq!(scene(ONE, &token, 30 * DAY - 1).words(), "nothing");
    assert_eq!(scene(ONE, &token, 30 * DAY).words(), format!(". window {OPENS}"));
    assert_eq!(scene(ONE, &token, OPENS - 1).words(), format!(". window {OPENS}"));
    assert_eq!(scene(ONE, &token, OPENS).words(), "new due");
    assert_eq!(scene(ONE, &token, OPENS + 7 * HOUR - 1).words(), "new due");
    assert_eq!(scene(ONE, &token, OPENS + 7 * HOUR).words(), format!(". window {}", OPENS + DAY));
    let named = scene(ONE, &token, 30 * DAY).with(|options| options.rotate = Rotate::All);
    assert_eq!(named.words(), "new asked");
}

#[test]
fn a_changed_duration_waits_too_and_restarts_nothing_that_is_under_way() {
    let token = settled();
    let other = ONE.to_owned() + "rotate_every = \"20d\"\n";
    // At eight on the first Friday.
    assert_eq!(scene(&other, &token, 30).words(), format!("update rotate_every, . window {HOUR}"));
    assert_eq!(scene(&other, &token, HOUR).words(), "update rotate_every, new durations_changed");
    // A version that has reached a place goes on, whatever the hour.
    let mut token = settled();
    token.terms = Some(manifest(&other).tokens[0].terms);
    stage(&mut token, 10);
    deliver(&mut token, &[place("a", "API")], 20);
    let under_way = scene(&other, &token, 30).look("a", Holds::Api(2)).readable(2, "a");
    assert_eq!(under_way.words(), "resume 2 a->");
}

/// AWS asks for the end of a rotation when it likes.
#[test]
fn what_is_staged_goes_on_at_any_hour_where_it_is_asked_for_and_nothing_else_begins() {
    let mut token = settled();
    stage(&mut token, 10);
    token.announce(2, &place("a", "API").id(), at(11)).unwrap();
    let named = |options: &mut Options| {
        options.rotate = Rotate::Staged(BTreeSet::from([(token.user.clone(), token.name.clone())]));
    };
    // It is beside what consumers read: nothing is due, and nothing shows it.
    let beside = || scene(ONE, &token, 30).readable(2, "a");
    assert_eq!(beside().words(), "nothing");
    assert_eq!(beside().with(named).words(), "resume 2 a->a");
    let other = Rotate::Staged(BTreeSet::from([(token.user.clone(), "web".parse().unwrap())]));
    assert_eq!(beside().with(|options| options.rotate = other.clone()).words(), "nothing");
    // What cannot be read back is not replaced, and without anything staged nothing is.
    assert_eq!(scene(ONE, &token, 30).with(named).words(), "nothing");
    assert_eq!(scene(ONE, &settled(), 30).with(named).words(), "nothing");
}

#[test]
fn what_is_wrong_is_repaired_outside_the_window() {
    let mut token = token("api", api_id(), &[place("a", "API"), place("b", "API")]);
    token = rotated(token, 0);
    let at_night = |a, b| scene(TWO, &token, 30 * DAY).look("a", a).look("b", b);
    let lost = at_night(Holds::Nothing, Holds::Api(1)).readable(1, "b");
    assert_eq!(lost.words(), format!("mend 1 b->a, . window {OPENS}"));
    assert_eq!(at_night(Holds::Nothing, Holds::Nothing).words(), "new no_source");
    assert_eq!(scene(ONE, &settled(), 90 * DAY).words(), "new expired");
}

/// The token could wait for 59 days, and is looked at on the last weekend of its life.
#[test]
fn a_window_lets_no_version_expire() {
    let token = settled();
    // The window opens on Monday at nine; from then on there has to be room for the overlap of a day.
    let friday = 84 * DAY + 8 * HOUR;
    let opens = 87 * DAY + HOUR;
    assert_eq!(scene(ONE, &token, friday).words(), format!(". window {opens}"));
    let mut short = settled();
    let end = opens + 24 * HOUR;
    short.versions[0].expiry = Some(at(end));
    assert_eq!(scene(ONE, &short, friday).words(), format!(". window {opens}"));
    short.versions[0].expiry = Some(at(end - 1));
    let plan = scene(ONE, &short, friday).plan();
    assert_eq!(words(&plan), "new due, . outside for 1");
    let lines: Vec<String> = lines(&plan, &Labels::ids()).iter().map(Line::plain).collect();
    assert!(lines.iter().any(|line| line.contains("rotated outside the window: version 1 expires at")), "{lines:?}");
}

#[test]
fn the_calendar_counts_the_windows() {
    let token = settled();
    let scene = scene(ONE, &token, DAY);
    let dates = calendar(&scene.manifest, &scene.observation, &scene.options, at(100 * DAY));
    let rotations: Vec<i64> = dates
        .iter()
        .filter(|date| matches!(date.what, What::Rotates { .. }))
        .map(|date| date.at.duration_since(at(0)).as_secs())
        .collect();
    // Each a month after the one before: on Wednesday, and then on a Friday.
    assert_eq!(rotations, [OPENS, OPENS + 30 * DAY, OPENS + 60 * DAY]);
    let weekdays = rotations.iter().map(|seconds| at(*seconds).to_zoned(jiff::tz::TimeZone::UTC).weekday());
    assert!(weekdays.into_iter().all(|day| !matches!(day.to_monday_one_offset(), 6 | 7)));
}

/// Apps of Heroku, each with a token of its own, and one more in the first app.
fn fleet(apps: &[&str], now: i64, max_restarts: u32) -> Scene {
    let names: Vec<String> = (0..apps.len()).map(|index| format!("api-{index}")).collect();
    let mut text = String::new();
    for index in 0..apps.len() {
        let _ = write!(text, "[tokens.api-{index}]\npush = [{{ sink = \"a\", name = \"API_{index}\" }}]\n");
    }
    let _ = write!(text, "[rotation]\nmax_restarts = {max_restarts}\n");
    let place = |app: &str, name: &str| Place::new("heroku", &[("app", app), ("name", name)], true);
    let ids = |index: usize| id(&format!("aaaaaaaaaaaaaaa{index}"));
    let token = |(index, name): (usize, &String)| {
        // Each an hour after the one before.
        let when = HOUR * i64::try_from(index).unwrap();
        rotated(super::token(name, ids(index), &[place(apps[index], name)]), when)
    };
    let tokens: Vec<Token> = names.iter().enumerate().map(token).collect();
    let records: Vec<&Token> = tokens.iter().collect();
    let mut scene = Scene::new(&text, &records, now);
    for (index, name) in names.iter().enumerate() {
        let place = place(apps[index], name);
        let held = SeenEntry {
            fingerprint: Some(digest(name, 1).fingerprint()),
            token_id: Some(ids(index)),
            receipt: Receipt("r1".to_owned()),
            former: Vec::new(),
            lagging: None,
        };
        scene.observation.looks.insert(place.id(), Ok(Seen::Holds(held)));
        scene.observation.tokens[index].places = vec![Ok(place)];
    }
    scene
}

#[test]
fn a_run_restarts_no_more_apps_than_it_may_and_begins_with_what_is_due_longest() {
    let late = 31 * DAY;
    let apps = ["web", "worker", "web", "mail"];
    let words = |most| fleet(&apps, late, most).words();
    assert_eq!(
        words(2),
        "api-0: new due, api-1: new due, api-2: new due, api-3: . after 2 restarts",
        "the third restarts an app that is restarted anyway"
    );
    assert_eq!(words(1), "api-0: new due, api-1: . after 1 restarts, api-2: new due, api-3: . after 1 restarts");
    assert_eq!(words(3), "api-0: new due, api-1: new due, api-2: new due, api-3: new due");
}

#[test]
fn what_cannot_wait_is_done_beyond_the_limit() {
    let apps = ["web", "worker", "mail"];
    // A day and the overlap before the first of them expires, all three are due, and only that one cannot wait.
    let last = 90 * DAY - 2 * DAY;
    let first = "api-0: new due, api-1: . after 1 restarts, api-2: . after 1 restarts";
    assert_eq!(fleet(&apps, last, 1).words(), first);
    assert_eq!(fleet(&apps, last + HOUR + 1, 1).words(), "api-0: new due, api-1: new due, api-2: . after 1 restarts");
    let asked = fleet(&apps, HOUR, 1).with(|options| options.rotate = Rotate::All);
    assert_eq!(asked.words(), "api-0: new asked, api-1: new asked, api-2: new asked");
}
