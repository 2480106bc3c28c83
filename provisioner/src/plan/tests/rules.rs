//! One rule a test, on both sides of its border.

use super::*;
use crate::observe::finding::{Finding, Known};

pub(super) fn settled() -> Token {
    rotated(token("api", api_id(), &[place("a", "API")]), 0)
}

fn seen_by(token: &Token, now: i64) -> Scene {
    Scene::new(ONE, &[token], now).look("a", Holds::Api(token.current().map_or(1, |current| current.number)))
}

#[test]
fn rotation_is_due_at_the_second() {
    let token = settled();
    assert_eq!(seen_by(&token, 30 * DAY - 1).words(), "nothing");
    assert_eq!(seen_by(&token, 30 * DAY).words(), "new due");
    // A third of the life before expiry comes earlier than the month here.
    let short = ONE.to_owned() + "expires_in = \"42d\"\n";
    let mut token = super::token("api", api_id(), &[place("a", "API")]);
    token.terms = Some(manifest(&short).tokens[0].terms);
    let token = rotated(token, 0);
    let scene = |now| Scene::new(&short, &[&token], now).look("a", Holds::Api(1)).words();
    assert_eq!(scene(28 * DAY - 1), "nothing");
    assert_eq!(scene(28 * DAY), "new due");
}

#[test]
fn a_token_whose_place_cannot_be_determined_is_warned_of_and_then_shown_to_be_dead() {
    let token = settled();
    let nowhere = |now| {
        let mut scene = seen_by(&token, now);
        scene.observation.tokens[0].places = vec![Err(SinkError::Unreachable { reason: "down".to_owned() })];
        scene.words()
    };
    assert_eq!(nowhere(60 * DAY - 1), "! no place a API");
    assert_eq!(nowhere(60 * DAY), "! no place a API, . 1 expires");
    assert_eq!(nowhere(90 * DAY), "! no place a API, . 1 expired in a");
}

#[test]
fn a_changed_duration_makes_a_token_due_once() {
    let token = settled();
    let other = ONE.to_owned() + "rotate_every = \"20d\"\n";
    assert_eq!(
        Scene::new(&other, &[&token], HOUR).look("a", Holds::Api(1)).words(),
        "update rotate_every, new durations_changed"
    );
    let mut after = token;
    after.terms = Some(manifest(&other).tokens[0].terms);
    let after = rotated(after, HOUR);
    assert_eq!(Scene::new(&other, &[&after], 2 * HOUR).look("a", Holds::Api(2)).words(), ". 1 later");
}

#[test]
fn moved_from_renames_and_a_likely_rename_is_not_a_second_token() {
    let mut former = settled();
    former.name = "old".parse().unwrap();
    let scene = |text: &str| Scene::new(text, &[&former], HOUR).look("a", Holds::Api(1));
    assert_eq!(scene(ONE).words(), "! renamed old, old: . not declared");
    let moved = ONE.to_owned() + "moved_from = \"old\"\n";
    assert_eq!(scene(&moved).words(), "rename old");
    // Another user's token stays with its user.
    let other = ONE.to_owned() + "moved_from = { user = \"joe\", name = \"old\" }\n";
    let mut joes = former.clone();
    joes.user = "joe".parse().unwrap();
    let scene = Scene::new(&other, &[&joes], HOUR).look("a", Holds::Api(1));
    assert_eq!(scene.words(), "! other user joe, old: . not declared");
    // Once moved it says nothing any more.
    let token = settled();
    assert_eq!(Scene::new(&moved, &[&token], HOUR).look("a", Holds::Api(1)).words(), "nothing");
}

#[test]
fn a_token_made_by_hand_is_taken_over_with_a_new_version() {
    let mut token = settled();
    token.managed_by = None;
    token.terms = None;
    token.expires_at = Some(at(31 * DAY));
    let scene = seen_by(&token, HOUR);
    assert_eq!(scene.words(), "take over, update expires_in+rotate_every+overlap, new taken_over");
}

#[test]
fn a_place_of_another_machine_stays_declared_and_blocks_what_would_be_blind() {
    let there = Place::new("fake", &[("machine", "there"), ("sink", "a"), ("name", "API")], true);
    let token = rotated(super::token("api", api_id(), &[place("a", "API"), there.clone()]), 0);
    let elsewhere = || Err(SinkError::OtherMachine { machine: "there".to_owned() });
    let scene = |now: i64| {
        let mut scene = Scene::new(ONE, &[&token], now).look("a", Holds::Api(1));
        scene.observation.looks.insert(there.id(), elsewhere());
        scene
    };
    assert_eq!(scene(HOUR).words(), ". unseen ?");
    assert_eq!(scene(30 * DAY).words(), "! unreachable ?");
    // Who says that it is gone goes on without it.
    let forgetting = scene(30 * DAY).with(|options| {
        options.forget.insert(there.id().to_string());
    });
    assert_eq!(forgetting.words(), "update places, new due, forget ?, . 1 left in ?");
}

#[test]
fn a_leaving_place_stays_recorded_until_its_entry_is_gone() {
    let token = rotated(super::token("api", api_id(), &[place("a", "API"), place("b", "API")]), 0);
    let scene = |holds| Scene::new(ONE, &[&token], HOUR).look("a", Holds::Api(1)).look("b", holds);
    assert_eq!(scene(Holds::Api(1)).words(), "update places, . leaving b");
    assert_eq!(scene(Holds::Api(1)).with(|options| options.prune = true).words(), "update places, remove b");
    assert_eq!(scene(Holds::Nothing).words(), "update places, forget b");
    assert_eq!(scene(Holds::Alien).words(), "update places, forget b");
    assert_eq!(scene(Holds::Unknown).words(), "update places, . unseen b");
    // A write that was announced may still arrive.
    let mut quiet = Scene::new(ONE, &[&token], 15 * 60 - 1).look("a", Holds::Api(1)).look("b", Holds::Nothing);
    assert_eq!(quiet.words(), "update places");
    quiet.observation.at = at(15 * 60);
    assert_eq!(quiet.words(), "update places, forget b");
}

#[test]
fn a_place_that_is_changed_again_and_again_is_told() {
    let mut token = rotated(settled(), DAY);
    let scene = |token: &Token, now, holds| Scene::new(ONE, &[token], now).look("a", holds).readable(2, "a").words();
    assert_eq!(scene(&token, 2 * DAY, Holds::Altered), "mend 2 a->a, . 1 after a");
    let repairs = latchkey::token::Repairs { times: 3, since: at(0), last: at(DAY) };
    token.places.get_mut(&place("a", "API").id()).unwrap().repairs = Some(repairs);
    let told = "mend 2 a->a, . 1 after a, . a changed 4 times";
    assert_eq!(scene(&token, 2 * DAY, Holds::Altered), told);
    assert_eq!(scene(&token, 2 * DAY, Holds::Api(2)), "retire 1", "while it is as it should be nothing is said");
    let later = Scene::new(ONE, &[&token], 2 * DAY).look("a", Holds::Altered).readable(2, "a").plan();
    let remarks = remarks(&later.tokens[0], &Labels::ids());
    assert!(
        remarks.iter().any(|remark| remark.is_urgent && remark.text.contains("4 times since 2027-01-15")),
        "{remarks:?}"
    );
}

#[test]
fn at_the_limit_a_token_waits_and_says_until_when() {
    let mut token = settled();
    for when in [HOUR, 2 * HOUR, 3 * HOUR] {
        token = rotated(token, when);
    }
    let scene =
        Scene::new(ONE, &[&token], 4 * HOUR).look("a", Holds::Api(4)).with(|options| options.rotate = Rotate::All);
    let until = HOUR + DAY;
    assert_eq!(scene.words(), format!("! 4 live until Some({until}), . 1 later, . 2 later, . 3 later"));
    // Used versions make no room before they are idle.
    for number in ["1", "2", "3"] {
        token.uses.insert(number.to_owned(), latchkey::token::Use { first: at(0), last: at(2 * DAY), ip: None });
    }
    let scene = Scene::new(ONE, &[&token], 2 * DAY + HOUR)
        .look("a", Holds::Api(4))
        .with(|options| options.rotate = Rotate::All);
    let until = 3 * DAY + 75 * 60;
    assert_eq!(scene.words(), format!("! 4 live until Some({until}), . 1 used, . 2 used, . 3 used"));
}

#[test]
fn roles_that_are_not_named_are_all_of_the_users() {
    let token = settled();
    let text = format!("[roles.writer]\npermissions = [\"documents:write\"]\n{ONE}");
    let mut scene = Scene::new(&text, &[&token], HOUR).look("a", Holds::Api(1));
    scene.manifest.users.values_mut().for_each(|user| user.roles.push("writer".parse().unwrap()));
    let plan = scene.plan();
    let Some(Change::Update(fields)) = plan.tokens[0].changes.first() else { panic!("{}", words(&plan)) };
    assert_eq!(
        fields,
        &[Field { name: TokenField::Roles, from: "reader".to_owned(), to: "reader, writer".to_owned() }]
    );
    // Named ones stay what they are.
    let named = text + "roles = [\"reader\"]\n";
    let mut scene = Scene::new(&named, &[&token], HOUR).look("a", Holds::Api(1));
    scene.manifest.users.values_mut().for_each(|user| user.roles.push("writer".parse().unwrap()));
    assert_eq!(scene.words(), "nothing");
}

#[test]
fn prune_takes_entries_first_and_ends_the_token_after_its_overlap() {
    let token = settled();
    let scene = |token: &Token, now, holds| {
        let web = "[tokens.web]\npush = [{ sink = \"b\", name = \"WEB\" }]\n";
        let mut scene = Scene::new(web, &[token], now).look("a", holds).with(|options| options.prune = true);
        scene.observation.tokens.clear();
        scene.manifest.tokens.clear();
        scene.options.allow_deletes = Some(1);
        scene
    };
    assert_eq!(scene(&token, HOUR, Holds::Api(1)).words(), "remove a, leave");
    assert_eq!(scene(&token, HOUR, Holds::Alien).words(), "leave");
    assert_eq!(scene(&token, HOUR, Holds::Unknown).words(), "! unreachable a");
    let forgetting = scene(&token, HOUR, Holds::Unknown).with(|options| {
        options.forget.insert(place("a", "API").id().to_string());
    });
    assert_eq!(forgetting.words(), "forget a, leave, . 1 left in a");
    let mut leaving = token.clone();
    leaving.leaving = Some(at(HOUR));
    assert_eq!(scene(&leaving, HOUR + DAY - 1, Holds::Nothing).words(), ". ends later");
    assert_eq!(scene(&leaving, HOUR + DAY, Holds::Nothing).words(), "delete");
    assert_eq!(scene(&leaving, HOUR + DAY, Holds::Api(1)).words(), "remove a, . ends later");
    let mut used = token.clone();
    used.uses.insert("1".to_owned(), latchkey::token::Use { first: at(0), last: at(HOUR), ip: None });
    assert_eq!(scene(&used, HOUR + 7 * DAY - 1, Holds::Api(1)).words(), "! 1 used lately");
    assert_eq!(scene(&used, HOUR + 7 * DAY, Holds::Api(1)).words(), "remove a, leave");
    // A manifest that declares nothing deletes nothing without being told so.
    let mut guarded = scene(&token, HOUR, Holds::Api(1));
    guarded.options.allow_deletes = None;
    assert_eq!(guarded.plan().guards, [Stop::Deletes { deletes: 1, of: 1 }]);
    guarded.options.allow_deletes = Some(1);
    assert_eq!(guarded.plan().guards, []);
}

#[test]
fn a_plan_has_the_same_id_until_it_would_do_something_else() {
    let token = rotated(settled(), DAY);
    let scene = |token: &Token, now| Scene::new(ONE, &[token], now).look("a", Holds::Api(2)).plan().id();
    let mut used = token.clone();
    used.uses.insert("2".to_owned(), latchkey::token::Use { first: at(0), last: at(DAY), ip: None });
    assert_eq!(scene(&token, DAY + HOUR), scene(&used, DAY + 2 * HOUR), "a use is no change");
    assert_ne!(scene(&token, DAY + HOUR), scene(&token, 2 * DAY), "the overlap is over");
    let created = |text: &str| Scene::new(text, &[], HOUR).look("a", Holds::Nothing).plan().id();
    let texts = [
        ONE.to_owned(),
        ONE.to_owned() + "description = \"Renders\"\n",
        ONE.to_owned() + "allowed_ips = [\"192.0.2.0/24\"]\n",
        ONE.to_owned() + "labels = { team = \"web\" }\n",
        ONE.to_owned() + "overlap = \"25h\"\n",
        ONE.to_owned() + "roles = []\n",
        ONE.replace("name = \"API\"", "name = \"OTHER\""),
    ];
    let ids: Vec<String> = texts[..6].iter().map(|text| created(text)).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 6, "{ids:?}");
    assert_eq!(created(&texts[0]), ids[0]);
}

#[test]
fn a_marker_is_not_believed_when_its_entry_changed_since_the_delivery() {
    let sealed = |name: &str| Place { readable: false, ..place(name, "API") };
    let mut token = token("api", api_id(), &[sealed("a")]);
    stage(&mut token, 0);
    deliver(&mut token, &[sealed("a")], 0);
    token.promote(1, at(0)).unwrap();
    let (id, none) = (sealed("a").id(), std::collections::HashMap::new());
    let name = "acme".parse().unwrap();
    let known = Known::new(&name, [&token], &none, at(1));
    let shown = |receipt: &str| {
        let Ok(Seen::Holds(held)) = seen(Holds::Api(1)) else { panic!("it holds something") };
        Ok(Seen::Holds(SeenEntry { receipt: Receipt(receipt.to_owned()), ..held }))
    };
    assert!(matches!(known.classify(Some(&token), &id, &shown("r1")), Finding::Current));
    let changed = shown("r2");
    let find = known.classify(Some(&token), &id, &changed);
    assert!(matches!(find, Finding::Hidden), "{find:?}");
    // Nothing may end meanwhile, as nobody can tell what is there; and whoever writes does not take it for done.
    assert!(find.is_unknown() && !find.is_version(1, Some(1)));
    let believed = Known::believed(&token, &id, changed.as_ref().unwrap());
    assert!(matches!(believed, Seen::Holds(SeenEntry { fingerprint: None, .. })));
    // The current version was reported everywhere, so its marker is held to the receipt whatever version the record has.
    for record in token.places.values_mut() {
        record.version = None;
    }
    let known = Known::new(&name, [&token], &none, at(1));
    assert!(matches!(known.classify(Some(&token), &id, &shown("r2")), Finding::Hidden));
    // Where values are read, what is there is what counts.
    for record in token.places.values_mut() {
        record.place.readable = true;
    }
    let known = Known::new(&name, [&token], &none, at(1));
    assert!(matches!(known.classify(Some(&token), &id, &shown("r2")), Finding::Current));
}

/// Two places of the fake sinks that their vendor calls the same.
fn one_entry(scene: &mut Scene, places: &[Place]) {
    scene.observation.identities.extend(places.iter().map(|place| (place.id(), "entry".to_owned())));
}

#[test]
fn a_former_name_of_a_declared_entry_is_dropped_and_nothing_is_removed() {
    let both = [place("a", "API"), place("b", "API")];
    let token = rotated(super::token("api", api_id(), &both), 0);
    let scene = |now: i64, holds: Holds| {
        let mut scene = Scene::new(ONE, &[&token], now).look("a", holds).look("b", holds);
        one_entry(&mut scene, &both);
        scene.with(|options| options.prune = true)
    };
    assert_eq!(scene(HOUR, Holds::Api(1)).words(), "update places, merge b into a");
    assert_eq!(scene(60, Holds::Api(1)).words(), "update places", "a write may still arrive under the former name");
    // Whatever is there, and whether it can still be reached by that name.
    let mut gone = scene(30 * DAY, Holds::Api(1));
    gone.observation.looks.insert(both[1].id(), Err(SinkError::Unreachable { reason: "gone".to_owned() }));
    assert_eq!(gone.words(), "update places, new due, merge b into a");
    // A token that is no longer declared takes nothing from the one that is.
    let other = rotated(super::token("web", id("bbbbbbbbbbbbbbbb"), &both[1..]), 0);
    let mut undeclared = Scene::new(ONE, &[&rotated(super::token("api", api_id(), &both[..1]), 0), &other], 2 * DAY);
    one_entry(&mut undeclared, &both);
    let words =
        undeclared.look("a", Holds::Web(1)).look("b", Holds::Web(1)).with(|options| options.prune = true).words();
    assert!(words.contains("web: leave") && !words.contains("remove"), "{words}");
}

#[test]
fn a_former_name_is_known_by_what_was_recorded_when_it_is_out_of_reach() {
    let both = [place("a", "API"), place("b", "API")];
    let mut token = rotated(super::token("api", api_id(), &both), 0);
    if let Some(record) = token.places.get_mut(&both[1].id()) {
        record.identity = Some("entry".to_owned());
    }
    let mut scene = Scene::new(ONE, &[&token], HOUR).look("a", Holds::Api(1));
    scene.observation.looks.insert(both[1].id(), Err(SinkError::Unreachable { reason: "gone".to_owned() }));
    let unknown = scene.words();
    assert_eq!(unknown, "update places, . unseen b");
    one_entry(&mut scene, &both[..1]);
    assert_eq!(scene.words(), "update places, merge b into a");
}

#[test]
fn a_record_from_the_future_makes_its_token_due() {
    let ahead = 400 * DAY;
    let token = rotated(super::token("api", api_id(), &[place("a", "API")]), ahead);
    assert_eq!(seen_by(&token, HOUR).words(), "new recorded_ahead, . recorded ahead");
    assert_eq!(seen_by(&token, ahead).words(), "nothing");
    let blocked = Scene::new(ONE, &[&token], HOUR).look("a", Holds::Unknown);
    assert_eq!(blocked.words(), "! unreachable a, . recorded ahead");
}

/// Nothing was learned of either place: what one look shows of a vendor's own ids is enough.
#[test]
fn an_entry_whose_receipt_is_that_of_a_declared_place_is_never_removed() {
    let row = |project| Place::new("vercel", &[("project", project), ("name", "API"), ("target", "production")], false);
    let (former, declared) = (row("acme-web"), row("prj_1"));
    let token = rotated(super::token("api", api_id(), &[former.clone(), declared.clone()]), 0);
    let words = |receipt: &str| {
        let mut scene = Scene::new(ONE, &[&token], HOUR).with(|options| options.prune = true);
        scene.observation.tokens[0].places = vec![Ok(declared.clone())];
        let mut shown = seen(Holds::Api(1));
        scene.observation.looks.insert(declared.id(), shown.clone());
        if let Ok(Seen::Holds(held)) = &mut shown {
            held.receipt = Receipt(receipt.to_owned());
        }
        scene.observation.looks.insert(former.id(), shown);
        scene.words()
    };
    assert_eq!(words("r1"), "update places, merge ? into ?");
    assert_eq!(words("r2"), "update places, remove ?", "another row");
}
