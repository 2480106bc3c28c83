//! Why a version may not end yet, and that nothing ends before what is broken is repaired.

use super::*;

/// A token whose versions were delivered to both places, one after another, each made current.
fn rotated(times: u32) -> Token {
    let mut token = token(&places());
    for number in 1..=times {
        token.stage(Digest::of(&number.to_be_bytes()), start()).unwrap();
        for place in places() {
            token.announce(number, &place.id(), start()).unwrap();
            token.deliver(number, &Arrival::new(&place.id(), "receipt"), start()).unwrap();
        }
        token.promote(number, start()).unwrap();
    }
    token
}

fn ids() -> [PlaceId; 2] {
    let places = places();
    [places[0].id(), places[1].id()]
}

/// What a look finds in the first place, and in the second, both declared.
fn looks(first: Found, second: Found) -> Vec<PlaceLook> {
    let look = |(place, found): (Place, Found)| PlaceLook {
        place: place.id(),
        found,
        former: Vec::new(),
        awaits: None,
        declared: true,
        written: false,
    };
    places().into_iter().zip([first, second]).map(look).collect()
}

/// When overlap and quiet time are over.
fn over() -> Timestamp {
    TERMS.overlap.after(start())
}

fn evidence(places: &[PlaceLook], at: Timestamp) -> Evidence<'_> {
    Evidence { at, now: at, places, force: false }
}

fn keeps(token: &Token, number: u32, places: &[PlaceLook]) -> Vec<Keeps> {
    token.keeps(token.version(number).unwrap(), &evidence(places, over()))
}

#[test]
fn what_is_current_new_lately_announced_or_in_its_overlap_goes_on() {
    let mut token = rotated(2);
    let at = |token: &Token, number: u32, at: Timestamp| {
        token.keeps(token.version(number).unwrap(), &evidence(&looks(Found::Version(2), Found::Version(2)), at))
    };
    assert_eq!(at(&token, 2, over())[0], Keeps::Current);
    let before = Seconds(1).before(over());
    assert_eq!(at(&token, 1, before), [Keeps::Overlap { until: over() }]);
    assert_eq!(at(&token, 1, over()), []);
    token.stage(Digest::of(b"3"), start()).unwrap();
    assert_eq!(at(&token, 3, over()), [Keeps::Newest]);
    token.versions[0].announced = Some(over());
    let until = QUIET.after(over());
    assert_eq!(at(&token, 1, over()), [Keeps::Announced { until }]);
    assert_eq!(at(&token, 1, until), []);
}

#[test]
fn what_a_place_contains_or_may_serve_goes_on() {
    let token = rotated(2);
    let [first, second] = ids();
    assert_eq!(keeps(&token, 1, &looks(Found::Version(2), Found::Version(2))), []);
    assert_eq!(keeps(&token, 1, &looks(Found::Version(2), Found::Unknown)), [Keeps::Unreachable(second.clone())]);
    let held = keeps(&token, 1, &looks(Found::Version(1), Found::Version(2)));
    assert_eq!(held, [Keeps::HeldBy(first.clone()), Keeps::Unrepaired(first)]);
    let mut waiting = looks(Found::Version(2), Found::Version(2));
    waiting[1].awaits = Some("no deployment is newer".to_owned());
    let awaits = Keeps::AwaitsDeployment(second, "no deployment is newer".to_owned());
    assert_eq!(keeps(&token, 1, &waiting), [awaits]);
    assert!(waiting[1].may_serve() && waiting[0].may_serve());
    assert!(!looks(Found::Nothing, Found::Edited).iter().any(PlaceLook::may_serve));
}

#[test]
fn what_was_used_lately_goes_on_unless_that_counts_for_nothing() {
    let mut token = rotated(2);
    let last = Seconds::hours(1).after(start());
    token.uses.insert("1".to_owned(), Use { first: last, last, ip: None });
    let until = USE_LAG.after(TERMS.overlap.after(last));
    let both = looks(Found::Version(2), Found::Version(2));
    assert_eq!(keeps(&token, 1, &both), [Keeps::Used { last, until }]);
    let forced = Evidence { force: true, ..evidence(&both, over()) };
    assert_eq!(token.keeps(token.version(1).unwrap(), &forced), []);
    assert_eq!(token.keeps(token.version(1).unwrap(), &evidence(&both, until)), []);
}

#[test]
fn nothing_of_a_token_ends_before_its_places_are_repaired() {
    let token = rotated(3);
    let [first, second] = ids();
    let unrepaired = |place: &PlaceId| vec![Keeps::Unrepaired(place.clone())];
    // Changed by hand, an older version put back, or removed.
    for found in [Found::Edited, Found::Version(2), Found::Nothing] {
        assert_eq!(keeps(&token, 1, &looks(Found::Version(3), found)), unrepaired(&second), "{found:?}");
        assert_eq!(keeps(&token, 1, &looks(found, Found::Version(3))), unrepaired(&first), "{found:?}");
    }
    // What is no longer declared is nobody's to repair; what was changed by hand there is forgotten first.
    let leaving = |found| {
        let mut looks = looks(Found::Version(3), found);
        looks[1].declared = false;
        looks
    };
    assert_eq!(keeps(&token, 1, &leaving(Found::Version(2))), []);
    assert_eq!(keeps(&token, 1, &leaving(Found::Nothing)), []);
    assert_eq!(keeps(&token, 1, &leaving(Found::Edited)), unrepaired(&second));
    // Where nothing of ours ever was there is nothing to repair, but a run that brings something does so first.
    let mut never = token.clone();
    never.places.get_mut(&second).unwrap().receipt = None;
    let mut looks = looks(Found::Version(3), Found::Nothing);
    assert_eq!(keeps(&never, 1, &looks), []);
    looks[1].written = true;
    assert_eq!(keeps(&never, 1, &looks), unrepaired(&second));
    // The newest on its way is what a place should have soon.
    let mut staged = token;
    staged.stage(Digest::of(b"4"), start()).unwrap();
    staged.announce(4, &first, start()).unwrap();
    assert_eq!(keeps(&staged, 1, &self::looks(Found::Version(4), Found::Version(3))), []);
}

#[test]
fn a_value_that_contains_no_secret_keeps_nothing_valid_however_often_it_comes() {
    let token = rotated(3);
    for written in [false, true] {
        let mut looks = looks(Found::Version(3), Found::Theirs);
        looks[1].written = written;
        assert_eq!(keeps(&token, 1, &looks), [], "a version that was stolen would stay valid for ever");
        assert!(!looks[1].may_serve());
    }
}

#[test]
fn at_the_limit_there_is_room_for_the_version_that_a_repair_needs() {
    let mut token = rotated(4);
    let broken = looks(Found::Version(4), Found::Edited);
    assert_eq!(token.live(over()).count(), token.versions_max());
    let kept = |version: &Version| !token.keeps(version, &evidence(&broken, over())).is_empty();
    assert!(token.versions.iter().all(kept), "what was put there may be any of them");
    for number in 5..=8 {
        assert_eq!(token.stage(Digest::of(&[number]), over()), Ok(number.into()));
        token.announce(number.into(), &token.places.keys().next().unwrap().clone(), over()).unwrap();
    }
    let full = VersionError::TooManyVersions { live: 8 };
    assert_eq!(token.stage(Digest::of(b"9"), over()), Err(full.clone()), "so many repairs were cut short");
    // None of them makes the others wait until one expires.
    let day = REPAIR_PAUSE.after(over());
    assert_eq!(token.repair_from(), Some(day));
    assert_eq!(token.stage(Digest::of(b"9"), Seconds(1).before(day)), Err(full));
    assert_eq!(token.stage(Digest::of(b"9"), day), Ok(9));
    token.announce(9, &token.places.keys().next().unwrap().clone(), day).unwrap();
    let full = VersionError::TooManyVersions { live: 9 };
    assert_eq!(token.stage(Digest::of(b"10"), day), Err(full), "one a day");
}

#[test]
fn no_token_has_more_versions_than_its_record_takes() {
    let mut token = rotated(1);
    let place = token.places.keys().next().unwrap().clone();
    let mut now = start();
    // None of them dies meanwhile.
    token.terms.as_mut().unwrap().expires_in = Seconds::days(365);
    for number in 2..=u32::try_from(VERSIONS_MAX).unwrap() {
        now = REPAIR_PAUSE.after(now);
        assert_eq!(token.stage(Digest::of(&number.to_be_bytes()), now), Ok(number));
        token.announce(number, &place, now).unwrap();
    }
    now = REPAIR_PAUSE.after(now);
    let full = VersionError::TooManyVersions { live: VERSIONS_MAX };
    assert_eq!(token.stage(Digest::of(b"more"), now), Err(full));
}

#[test]
fn a_token_without_places_has_nothing_to_repair() {
    assert_eq!(token(&[]).repair_from(), None);
}
