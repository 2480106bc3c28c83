//! When an older version is retired, and what keeps it.

use super::rules::settled;
use super::*;

#[test]
fn a_version_is_retired_only_when_nothing_stands_against_it() {
    let token = rotated(settled(), DAY);
    let look = |now, holds| Scene::new(ONE, &[&token], now).look("a", holds);
    // Its overlap.
    assert_eq!(look(2 * DAY - 1, Holds::Api(2)).words(), ". 1 later");
    assert_eq!(look(2 * DAY, Holds::Api(2)).words(), "retire 1");
    // A place that holds it, or may.
    assert_eq!(look(2 * DAY, Holds::Api(1)).readable(2, "a").words(), "mend 2 a->a");
    assert_eq!(look(2 * DAY, Holds::Unknown).words(), "! unreachable a, . 1 perhaps in a");
    // Its last announcement.
    let mut announced = token.clone();
    announced.versions[0].announced = Some(at(2 * DAY - 60));
    let quiet = |now| Scene::new(ONE, &[&announced], now).look("a", Holds::Api(2)).words();
    assert_eq!(quiet(2 * DAY + 14 * 60 - 1), ". 1 later");
    assert_eq!(quiet(2 * DAY + 14 * 60), "retire 1");
    // Its last use, which is noted with a lag: overlap, then 75 minutes.
    let mut used = token.clone();
    used.uses.insert("1".to_owned(), latchkey::token::Use { first: at(0), last: at(2 * DAY), ip: None });
    let idle = |now| Scene::new(ONE, &[&used], now).look("a", Holds::Api(2));
    let until = 3 * DAY + 75 * 60;
    assert_eq!(idle(until - 1).words(), ". 1 used");
    assert_eq!(idle(until).words(), "retire 1");
    assert_eq!(idle(2 * DAY).with(|options| options.force_retire = true).words(), "retire 1");
    // What the plan retires the service retires too, and no second earlier.
    for now in [until - 1, until] {
        let look = latchkey::protocol::Look { at: at(now), revision: used.revision };
        assert_eq!(used.clone().retire(1, look, false, at(now)).is_ok(), now == until);
    }
}

#[test]
fn nothing_ends_in_a_run_that_repairs_a_place() {
    let both = [place("a", "API"), place("b", "API")];
    let token = rotated(rotated(rotated(token("api", api_id(), &both), 0), HOUR), 2 * HOUR);
    let scene = |in_b| Scene::new(TWO, &[&token], 2 * DAY).look("a", Holds::Api(3)).look("b", in_b).readable(3, "a");
    assert_eq!(scene(Holds::Api(3)).words(), "retire 1, retire 2");
    // Changed by hand, which may be a former version in a form that nobody can tell; removed; rolled back.
    for holds in [Holds::Altered, Holds::Nothing] {
        assert_eq!(scene(holds).words(), "mend 3 a->b, . 1 after b, . 2 after b", "{holds:?}");
    }
    // What was read whole is none of them, however often somebody puts it there.
    for holds in [Holds::Alien, Holds::Web(1), Holds::Ended] {
        assert_eq!(scene(holds).words(), "retire 1, retire 2, mend 3 a->b", "{holds:?}");
    }
    assert_eq!(scene(Holds::Api(2)).words(), "mend 3 a->b, . 1 after b");
    // The plan says so.
    let plan = scene(Holds::Altered).plan();
    let remarks = remarks(&plan.tokens[0], &Labels::ids());
    assert!(remarks[0].text.contains("version 1 is not retired, as "), "{remarks:?}");
    assert!(remarks[0].text.ends_with(" is not up to date yet"), "{remarks:?}");
    // Nor where a new version repairs it, nor by force.
    let mut blind = scene(Holds::Altered).with(|options| options.force_retire = true);
    blind.observation.available.clear();
    assert_eq!(blind.words(), "new no_source, . 1 after b, . 2 after b");
    // Nor when the same run looks again.
    let again = scene(Holds::Api(3)).with(Options::begin_another_pass);
    assert_eq!(again.words(), "nothing");
}

#[test]
fn a_rotation_that_repairs_nothing_ends_what_is_over() {
    let token = rotated(settled(), HOUR);
    let due = Scene::new(ONE, &[&token], 31 * DAY).look("a", Holds::Api(2));
    assert_eq!(due.words(), "retire 1, new due");
    let named = Scene::new(ONE, &[&token], 2 * DAY).look("a", Holds::Api(2));
    assert_eq!(named.with(|options| options.rotate = Rotate::All).words(), "retire 1, new asked");
}

#[test]
fn at_the_limit_a_repair_has_room_and_nothing_ends_before_it() {
    let mut token = settled();
    for when in [HOUR, 2 * HOUR, 3 * HOUR] {
        token = rotated(token, when);
    }
    let scene = |holds| Scene::new(ONE, &[&token], 2 * DAY).look("a", holds);
    assert_eq!(scene(Holds::Api(4)).words(), "retire 1, retire 2, retire 3");
    let after = ". 1 after a, . 2 after a, . 3 after a";
    assert_eq!(scene(Holds::Altered).words(), format!("new no_source, {after}"));
    assert_eq!(scene(Holds::Alien).words(), "retire 1, retire 2, retire 3, new no_source");
    // What can be repaired without a new version needs no room.
    assert_eq!(scene(Holds::Api(1)).readable(4, "a").words(), "mend 4 a->a, . 2 after a, . 3 after a");
    // Repairs that were cut short leave one version each, until the token waits, and that for a day at the most.
    for when in [4 * HOUR, 5 * HOUR, 6 * HOUR, 7 * HOUR] {
        stage(&mut token, when);
        token.announce(token.highest, &place("a", "API").id(), at(when)).unwrap();
    }
    let day = DAY + 7 * HOUR;
    let full = |when| Scene::new(ONE, &[&token], when).look("a", Holds::Altered);
    let waits = full(day - HOUR).words();
    assert!(waits.starts_with(&format!("! 8 live until Some({day})")), "{waits}");
    assert!(full(day).words().starts_with("new lost_staged, "), "{}", full(day).words());
}

#[test]
fn a_superseded_version_of_a_token_that_never_had_a_current_one_is_retired() {
    let mut token = super::token("api", api_id(), &[place("a", "API")]);
    for when in [0, HOUR, 2 * HOUR, 3 * HOUR] {
        stage(&mut token, when);
        token.announce(token.highest, &place("a", "API").id(), at(when)).unwrap();
    }
    // All four that may work at once do, and none is current: the older ones make room.
    let scene = |holds| Scene::new(ONE, &[&token], 4 * HOUR).look("a", holds);
    assert_eq!(scene(Holds::Nothing).words(), "retire 1, retire 2, retire 3, new never_delivered");
    // Where a place is to be repaired, that comes first.
    assert_eq!(scene(Holds::Api(2)).words(), "new never_delivered, . 1 after a, . 3 after a");
}
