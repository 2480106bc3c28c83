//! What holds for every plan, whatever was observed.

use proptest::prelude::*;

use super::*;
use crate::observe::finding::Finding;

/// A step in the life of a record.
#[derive(Debug, Clone, Copy)]
enum Step {
    Stage,
    Announce(bool),
    Deliver(bool),
    Promote,
    Use(u32),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Stage),
        2 => any::<bool>().prop_map(Step::Announce),
        4 => any::<bool>().prop_map(Step::Deliver),
        3 => Just(Step::Promote),
        1 => (1_u32..4).prop_map(Step::Use),
        2 => prop_oneof![Just(60), Just(HOUR), Just(DAY), Just(20 * DAY), Just(70 * DAY)].prop_map(Step::Wait),
    ]
}

fn holds() -> impl Strategy<Value = Holds> {
    prop_oneof![
        Just(Holds::Nothing),
        (1_u32..5).prop_map(Holds::Api),
        Just(Holds::Web(1)),
        Just(Holds::Ended),
        Just(Holds::Alien),
        Just(Holds::Unknown),
    ]
}

prop_compose! {
    fn scene()(
        steps in proptest::collection::vec(step(), 0..25),
        exists in proptest::bool::weighted(0.9),
        declared in prop_oneof![Just(ONE), Just(TWO)],
        in_a in holds(),
        in_b in holds(),
        readable in any::<bool>(),
        all in proptest::bool::weighted(0.2),
        (prune, force_retire) in (any::<bool>(), any::<bool>()),
    ) -> Scene {
        let places = [place("a", "API"), place("b", "API")];
        let mut token = token("api", api_id(), &places);
        let mut now = 0;
        for step in steps {
            // What the rules refuse does not happen.
            let _ = match step {
                Step::Stage => token.stage(digest("api", token.highest + 1), at(now)).map(|_| ()),
                Step::Announce(b) => token.announce(token.highest, &places[usize::from(b)].id(), at(now)).map(|_| ()),
                Step::Deliver(b) => {
                    let id = places[usize::from(b)].id();
                    let highest = token.highest;
                    token.announce(highest, &id, at(now)).and_then(|_| token.deliver(highest, &latchkey::protocol::Arrival { place: &id, receipt: "r1", looked_at: None, identity: None }, at(now)))
                }
                Step::Promote => token.promote(token.highest, at(now)),
                Step::Use(number) => {
                    if token.version(number).is_some() {
                        let used = latchkey::token::Use { first: at(now), last: at(now), ip: None };
                        token.uses.insert(number.to_string(), used);
                    }
                    Ok(())
                }
                Step::Wait(length) => {
                    now += length;
                    Ok(())
                }
            };
        }
        let records: Vec<&Token> = exists.then_some(&token).into_iter().collect();
        let mut scene = Scene::new(declared, &records, now).look("a", in_a).look("b", in_b);
        if let (true, Holds::Api(number)) = (readable, in_a)
            && token.live(at(now)).any(|version| version.number == number)
        {
            scene = scene.readable(number, "a");
        }
        scene.with(|options| {
            options.prune = prune;
            options.force_retire = force_retire;
            options.rotate = if all { Rotate::All } else { Rotate::Due };
        })
    }
}

fn stages(change: &Change) -> bool {
    matches!(change, Change::Create | Change::NewVersion(_) | Change::Resume { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_safe(scene in scene()) {
        let plan = scene.plan();
        prop_assert_eq!(plan.id(), scene.plan().id());
        prop_assert_eq!(words(&plan), scene.words());
        let token = &plan.tokens[0];
        let current = token.record.as_deref().and_then(Token::current).map(|current| current.number);
        let staged = token.changes.iter().filter(|change| stages(change)).count();
        prop_assert!(staged <= 1, "one version at a time");
        if staged > 0 {
            let bad = |(_, find): &(Place, Finding)| matches!(find, Finding::Unknown(_));
            prop_assert!(!token.findings.iter().any(bad), "nothing is staged while a place is unreachable");
            let written: BTreeSet<PlaceId> = token.places.iter().map(Place::id).collect();
            let foreign = |(place, find): &(Place, Finding)| {
                matches!(find, Finding::Foreign) && written.contains(&place.id())
            };
            prop_assert!(!token.findings.iter().any(foreign), "nothing is staged over what is foreign");
            let mends = token.changes.iter().any(|change| matches!(change, Change::Mend { .. }));
            prop_assert!(!mends, "what is staged goes to every place anyway");
        }
        let repairs = token.changes.iter().any(|change| match change {
            Change::Mend { .. } => true,
            Change::Resume { to, .. } => !to.is_empty(),
            _ => false,
        });
        let retired = token.changes.iter().filter(|change| matches!(change, Change::Retire { .. })).count();
        prop_assert!(retired == 0 || !repairs, "nothing ends in a run that repairs");
        for change in &token.changes {
            match change {
                Change::Retire { number } => {
                    let held = token.findings.iter().any(|(_, find)| find.is_version(*number, current));
                    prop_assert!(!held, "a place contains what is retired");
                    prop_assert_ne!(current, Some(*number));
                    // The service agrees.
                    let mut record = Token::clone(token.record.as_ref().unwrap());
                    let now = scene.observation.at;
                    let look = latchkey::protocol::Look { at: now, revision: record.revision };
                    prop_assert_eq!(record.retire(*number, look, scene.options.force_retire, now), Ok(()));
                }
                Change::Mend { number, to, .. } => {
                    prop_assert_eq!(Some(*number), current);
                    let find = token.findings.iter().find(|(place, _)| place.id() == *to).map(|(_, find)| find);
                    prop_assert!(!matches!(find, Some(Finding::Foreign | Finding::Unknown(_) | Finding::Current)));
                    // Only the highest may be announced.
                    prop_assert_eq!(token.record.as_ref().map(|record| record.highest), Some(*number));
                }
                Change::NewVersion(_) => {
                    // The service has room for it, once what the plan retires is gone.
                    let mut record = Token::clone(token.record.as_ref().unwrap());
                    let retired = |number| token.changes.iter().any(
                        |change| matches!(change, Change::Retire { number: gone } if *gone == number));
                    record.versions.retain(|version| !retired(version.number));
                    prop_assert!(record.stage(digest("api", 99), scene.observation.at).is_ok());
                }
                Change::Remove { place } => {
                    let declared = token.places.iter().any(|declared| declared.id() == *place);
                    prop_assert!(!declared && scene.options.prune);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_settled_stays(days in 0_i64..29, places in 1_usize..3) {
        let text = if places == 1 { ONE } else { TWO };
        let all = [place("a", "API"), place("b", "API")];
        let token = rotated(token("api", api_id(), &all[..places]), 0);
        let scene = Scene::new(text, &[&token], days * DAY + 1).look("a", Holds::Api(1)).look("b", Holds::Api(1));
        let plan = scene.plan();
        prop_assert!(!plan.has_changes() && !plan.is_blocked(), "{}", words(&plan));
    }
}
