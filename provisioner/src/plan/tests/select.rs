//! Runs about a part of the manifest, guards, the calendar, and leaked secrets.

use super::*;
use crate::plan::calendar::{What, calendar};
use crate::plan::compromised::leaks;

fn key(name: &str) -> (UserName, TokenName) {
    ("ci".parse().unwrap(), name.parse().unwrap())
}

fn both() -> Token {
    rotated(token("api", api_id(), &[place("a", "API"), place("b", "API")]), 0)
}

fn only_b(options: &mut Options) {
    options.sinks.insert("b".to_owned());
}

const WEB: &str = "[tokens.web]\npush = [{ sink = \"a\", name = \"WEB\" }]\n";

#[test]
fn what_is_not_selected_is_left_alone_and_not_spoken_of() {
    let text = format!("{ONE}{WEB}");
    let old = token("old", id("dddddddddddddddd"), &[]);
    let scene = |only: &str| {
        let scene = Scene::new(&text, &[&old], HOUR).look("a", Holds::Nothing).with(|options| {
            options.prune = true;
            options.only.insert(key(only));
        });
        let looks = &mut { scene };
        looks.observation.looks.insert(place("a", "WEB").id(), seen(Holds::Nothing));
        (looks.words(), crate::plan::summary(&looks.plan()))
    };
    assert_eq!(scene("api").0, "create");
    assert_eq!(scene("web").0, "web: create");
    assert_eq!(scene("old").0, "old: leave", "pruning stays within the selection too");
    assert_eq!(scene("api").1, "Plan: 1 to create; not selected and left as they are: 2 tokens");
}

#[test]
fn a_selected_token_makes_its_user_and_changes_nobody_elses() {
    let fresh = |change: &dyn Fn(&mut Observation)| {
        let mut scene = Scene::new(&format!("{ONE}{WEB}"), &[], HOUR).look("a", Holds::Nothing);
        scene.options.only.insert(key("api"));
        change(&mut scene.observation);
        scene
    };
    let new = fresh(&|observation| {
        observation.users.clear();
        observation.roles.clear();
    });
    assert_eq!((new.words().as_str(), new.plan().users.len(), new.plan().roles.len()), ("create", 1, 1));
    // A role that exists and would change reaches every other token that has it.
    let changed =
        fresh(&|observation| observation.roles.values_mut().for_each(|role| role.permissions = Permissions::default()));
    assert_eq!((changed.words().as_str(), changed.plan().roles.len()), ("create", 0));
    assert_eq!(changed.plan().left_out, Some(LeftOut { tokens: 1, others: 1 }));
    let poor = fresh(&|observation| observation.users.values_mut().for_each(|user| user.roles.clear()));
    assert_eq!((poor.words().as_str(), poor.plan().users.len()), ("! needs ci", 0));
}

#[test]
fn a_selected_sink_is_mended_whatever_the_others_hold() {
    let token = both();
    let scene = |a: Holds, b: Holds| Scene::new(TWO, &[&token], HOUR).look("a", a).look("b", b).with(only_b);
    assert_eq!(scene(Holds::Api(1), Holds::Nothing).readable(1, "a").words(), "mend 1 a->b");
    assert_eq!(
        scene(Holds::Nothing, Holds::Api(1)).readable(1, "b").words(),
        "nothing",
        "the other one is left as it is"
    );
    assert_eq!(scene(Holds::Unknown, Holds::Api(1)).words(), "nothing");
    assert_eq!(scene(Holds::Api(1), Holds::Unknown).words(), "! unreachable b");
    assert_eq!(scene(Holds::Api(1), Holds::Nothing).words(), "! everywhere, also a", "nothing can be read back");
}

#[test]
fn a_selected_sink_stages_promotes_and_retires_nothing() {
    let token = rotated(both(), HOUR);
    let scene = |now| Scene::new(TWO, &[&token], now).look("a", Holds::Api(2)).look("b", Holds::Api(2));
    assert_eq!(scene(2 * DAY).words(), "retire 1");
    assert_eq!(scene(2 * DAY).with(only_b).words(), "nothing");
    assert_eq!(scene(40 * DAY).with(only_b).words(), ". waits due");
    let asked = |options: &mut Options| options.rotate = Rotate::All;
    assert_eq!(scene(2 * DAY).with(only_b).with(asked).words(), "! everywhere, also a");
    // A staged one is carried on, and waits to become current.
    let mut half = token.clone();
    stage(&mut half, 2 * DAY);
    deliver(&mut half, &[place("a", "API")], 2 * DAY);
    let staged = |sink: &str| {
        Scene::new(TWO, &[&half], 2 * DAY).look("a", Holds::Api(3)).look("b", Holds::Api(2)).readable(3, "a").with(
            |options| {
                options.sinks.insert(sink.to_owned());
            },
        )
    };
    assert_eq!(staged("b").words(), "mend 3 a->b, . waits promotion");
    assert_eq!(staged("a").words(), ". waits promotion");
}

#[test]
fn a_token_that_is_wholly_within_the_selected_sinks_is_treated_as_ever() {
    let token = both();
    let all = |options: &mut Options| options.sinks.extend(["a".to_owned(), "b".to_owned()]);
    let due = Scene::new(TWO, &[&token], 31 * DAY).look("a", Holds::Api(1)).look("b", Holds::Api(1));
    assert_eq!(due.with(all).words(), "new due");
    let fresh = Scene::new(TWO, &[], HOUR).look("a", Holds::Nothing).look("b", Holds::Nothing);
    assert_eq!(fresh.with(only_b).words(), "! everywhere, also a");
}

#[test]
fn a_new_place_of_a_selected_sink_is_recorded_beside_those_that_stay() {
    let token = rotated(super::token("api", api_id(), &[place("a", "API")]), 0);
    let scene = Scene::new(TWO, &[&token], HOUR).look("a", Holds::Api(1)).look("b", Holds::Nothing).readable(1, "a");
    let plan = scene.with(only_b).plan();
    assert_eq!(words(&plan), "update places, mend 1 a->b");
    assert_eq!(plan.tokens[0].places, [place("a", "API"), place("b", "API")]);
}

#[test]
fn many_sudden_rotations_are_stopped_and_due_ones_are_not() {
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    let text = names.iter().fold(String::new(), |text, name| {
        text + &format!("[tokens.{name}]\npush = [{{ sink = \"a\", name = \"{}\" }}]\n", name.to_uppercase())
    });
    let scene = |file: &str, now: i64, count: usize| {
        let ids = (0..count).map(|number| id(&format!("{number:016}")));
        let records: Vec<Token> = names
            .iter()
            .zip(ids)
            .map(|(name, id)| rotated(token(name, id, &[place("a", &name.to_uppercase())]), 0))
            .collect();
        let mut scene = Scene::new(file, &records.iter().collect::<Vec<_>>(), now);
        for record in &records {
            let held = SeenEntry {
                fingerprint: Some(digest(record.name.as_str(), 1).fingerprint()),
                token_id: Some(record.id.clone()),
                receipt: Receipt("r1".to_owned()),
                former: Vec::new(),
                lagging: None,
            };
            let place = place("a", &record.name.as_str().to_uppercase());
            scene.observation.looks.insert(place.id(), Ok(Seen::Holds(held)));
        }
        scene
    };
    let shorter: String =
        text.replace("[tokens.", "rotate_every = \"20d\"\n[tokens.").replacen("rotate_every = \"20d\"\n", "", 1)
            + "rotate_every = \"20d\"\n";
    assert_eq!(scene(&text, 31 * DAY, 12).plan().guards, [], "what is due was foretold");
    let sudden = scene(&shorter, HOUR, 12).plan();
    assert_eq!(sudden.guards, [Stop::Rotations { rotations: 12, of: 12 }]);
    assert_eq!(sudden.guards[0].hint(), "if this is intended, pass `--allow-rotations 12`");
    assert_eq!(scene(&shorter, HOUR, 12).with(|options| options.allow_rotations = Some(12)).plan().guards, []);
    assert_eq!(scene(&shorter, HOUR, 12).with(|options| options.allow_rotations = Some(11)).plan().guards.len(), 1);
}

#[test]
fn a_calendar_tells_what_is_on_record_from_what_follows_from_it() {
    let token = rotated(both(), DAY);
    let scene = Scene::new(&format!("{TWO}{WEB}"), &[&token], 2 * DAY - HOUR);
    let dates = calendar(&scene.manifest, &scene.observation, &scene.options, at(92 * DAY));
    let told: Vec<String> = dates
        .iter()
        .map(|date| {
            let days = date.at.duration_since(at(0)).as_secs() / DAY;
            format!("{days} {} {}{}", date.name, date.what.words(), if date.assumed { "*" } else { "" })
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1 web is created, with version 1*
    2 api overlap of version 1 ends
    31 api rotates to version 3
    31 web rotates to version 2*
    32 api overlap of version 2 ends*
    32 web overlap of version 1 ends*
    61 api rotates to version 4*
    61 web rotates to version 3*
    62 api overlap of version 3 ends*
    62 web overlap of version 2 ends*
    90 api version 1 expires at the latest
    91 api rotates to version 5*
    91 api version 2 expires at the latest
    91 web rotates to version 4*
    92 api overlap of version 4 ends*
    ");
    let selected = Options { only: [key("web")].into(), ..Options::default() };
    let web = calendar(&scene.manifest, &scene.observation, &selected, at(20 * DAY));
    assert_eq!(web.iter().map(|date| date.what).collect::<Vec<_>>(), [What::Made]);
}

#[test]
fn what_is_overdue_stands_at_the_beginning_of_a_calendar() {
    let token = both();
    let scene = Scene::new(TWO, &[&token], 40 * DAY);
    let dates = calendar(&scene.manifest, &scene.observation, &scene.options, at(45 * DAY));
    assert_eq!(dates[0].what, What::Rotates { to: 2 });
    assert_eq!((dates[0].at, dates[0].assumed), (at(40 * DAY), false));
    let mut gone = both();
    gone.leaving = Some(at(40 * DAY));
    gone.name = "old".parse().unwrap();
    let scene = Scene::new("", &[&gone], 40 * DAY);
    let dates = calendar(&scene.manifest, &scene.observation, &scene.options, at(45 * DAY));
    assert_eq!((dates[0].what, dates[0].at), (What::MayEnd, at(41 * DAY)));
}

#[test]
fn a_leak_brings_a_new_version_to_what_can_be_reached_and_names_the_rest() {
    let mut token = rotated(both(), DAY);
    token.uses.insert(
        "2".to_owned(),
        latchkey::token::Use { first: at(DAY), last: at(DAY + HOUR), ip: Some("10.0.0.7".to_owned()) },
    );
    let chosen = [key("api")].into();
    let leak = |b: Holds, version: u32| {
        let scene =
            Scene::new(TWO, &[&token], 2 * DAY).look("a", Holds::Api(version)).look("b", b).readable(version, "a");
        leaks(&scene.manifest, &scene.observation, &chosen).pop().unwrap()
    };
    let whole = leak(Holds::Api(2), 2);
    assert!(whole.reaches_all());
    assert_eq!((whole.plan.places.len(), whole.ending.as_slice()), (2, &[1, 2][..]));
    assert!(matches!(whole.plan.changes[..], [Change::NewVersion(Reason::Compromised)]));
    assert_eq!(
        whole.used.iter().map(|(number, used)| (*number, used.ip.as_deref())).collect::<Vec<_>>(),
        [(2, Some("10.0.0.7"))]
    );
    let half = leak(Holds::Unknown, 2);
    assert_eq!((half.reaches_all(), half.unreached.len(), half.plan.places), (false, 1, vec![place("a", "API")]));
    // One left staged may have leaked as well, so it is not carried on.
    stage(&mut token, 2 * DAY);
    deliver(&mut token, &[place("a", "API")], 2 * DAY);
    let scene = Scene::new(TWO, &[&token], 2 * DAY).look("a", Holds::Api(3)).look("b", Holds::Api(2)).readable(3, "a");
    let staged = leaks(&scene.manifest, &scene.observation, &chosen).pop().unwrap();
    assert!(matches!(staged.plan.changes[..], [Change::NewVersion(Reason::Compromised)]));
    assert_eq!(staged.ending, [1, 2, 3]);
}
