//! What is withdrawn, what stands, and how repairs are counted.

use super::*;

/// A token with a version that is staged, and its first place.
fn staged() -> (Token, PlaceId) {
    let mut token = token(&places());
    token.stage(Digest::of(b"1"), start()).unwrap();
    (token, places()[0].id())
}

/// An announcement; the record's revision counts as a table counts it.
fn announce(token: &mut Token, place: &PlaceId, at: Timestamp) -> u64 {
    let id = token.announce(token.highest, place, at).unwrap().id;
    token.revision += 1;
    id
}

#[test]
fn a_version_that_was_refused_wherever_it_went_makes_way_for_the_next_one() {
    let (mut token, first) = staged();
    let second = places()[1].id();
    for number in 1..=9 {
        let announced = [announce(&mut token, &first, start()), announce(&mut token, &second, start())];
        token.withdraw(number, &second, announced[1]).unwrap();
        assert!(token.version(number).unwrap().announced.is_some(), "it may be on its way to the first");
        token.withdraw(number, &first, announced[0]).unwrap();
        let version = token.version(number).unwrap();
        assert_eq!((version.announced, version.expiry, version.deliveries.len()), (None, None, 0));
        assert_eq!(token.stage(Digest::of(&[1, u8::try_from(number).unwrap()]), start()), Ok(number + 1));
        assert_eq!(token.versions.len(), 1, "as many refusals as there may be lock nobody out");
    }
}

#[test]
fn announcements_of_others_stand() {
    let (mut token, place) = staged();
    let ours = announce(&mut token, &place, start());
    let later = Seconds::minutes(5).after(start());
    let theirs = announce(&mut token, &place, later);
    assert_ne!(ours, theirs);
    token.withdraw(1, &place, ours).unwrap();
    assert_eq!(token.withdraw(1, &place, ours), Err(VersionError::NotAnnounced(1)), "nobody withdraws twice");
    assert_eq!(token.quiet_from(&place), Some((1, QUIET.after(later))));
    token.withdraw(1, &place, theirs).unwrap();
    assert_eq!(token.quiet_from(&place), None);
    // Nor does what was withdrawn withdraw a later one.
    announce(&mut token, &place, later);
    assert_eq!(token.withdraw(1, &place, theirs), Err(VersionError::NotAnnounced(1)));
}

#[test]
fn what_was_delivered_stands_whatever_is_withdrawn() {
    let (mut token, place) = staged();
    let before = announce(&mut token, &place, start());
    token.deliver(1, &Arrival::new(&place, "receipt"), start()).unwrap();
    assert_eq!(token.withdraw(1, &place, before), Err(VersionError::NotAnnounced(1)));
    let again = announce(&mut token, &place, start());
    token.withdraw(1, &place, again).unwrap();
    assert!(token.version(1).unwrap().delivered_to(&place));
    assert!(token.version(1).unwrap().announced.is_some());
}

#[test]
fn what_may_be_in_a_place_that_is_forgotten_stands_too() {
    let [kept, gone] = [places()[0].id(), places()[1].id()];
    let (mut token, _) = staged();
    announce(&mut token, &gone, start());
    let later = QUIET.after(start());
    let before = announce(&mut token, &kept, later);
    token.declare_places(&places()[..1]).unwrap();
    token.forget_place(&gone, None, later).unwrap();
    token.withdraw(1, &kept, before).unwrap();
    assert!(token.version(1).unwrap().announced.is_some(), "a person may have left it where it was");
    // The same where nothing else was announced before the place was forgotten.
    let (mut token, _) = staged();
    announce(&mut token, &gone, start());
    token.declare_places(&places()[..1]).unwrap();
    token.forget_place(&gone, None, later).unwrap();
    let after = announce(&mut token, &kept, later);
    token.withdraw(1, &kept, after).unwrap();
    assert!(token.version(1).unwrap().announced.is_some());
}

#[test]
fn more_announcements_than_are_kept_stand() {
    let (mut token, place) = staged();
    let all: Vec<u64> = (0..=crate::bounds::OPEN_MAX).map(|_| announce(&mut token, &place, start())).collect();
    assert_eq!(token.withdraw(1, &place, all[0]), Err(VersionError::NotAnnounced(1)));
    for announcement in &all[1..] {
        token.withdraw(1, &place, *announcement).unwrap();
    }
    assert!(token.version(1).unwrap().announced.is_some());
}

#[test]
fn a_record_from_before_announcements_had_numbers_withdraws_nothing() {
    let (mut token, place) = staged();
    announce(&mut token, &place, start());
    let before = serde_json::json!({ "announced": start().as_millisecond() });
    let delivery: crate::token::Delivery = serde_json::from_value(before).unwrap();
    token.versions[0].deliveries.insert(place.clone(), delivery);
    let ours = announce(&mut token, &place, start());
    token.withdraw(1, &place, ours).unwrap();
    assert!(token.version(1).unwrap().announced.is_some());
}

#[test]
fn a_late_report_of_a_lower_version_changes_nothing_of_what_is_known_of_a_place() {
    let (mut token, place) = staged();
    announce(&mut token, &place, start());
    token.stage(Digest::of(b"2"), start()).unwrap();
    announce(&mut token, &place, start());
    token.deliver(2, &Arrival::new(&place, "second"), start()).unwrap();
    // By a run that looked before the second one was written.
    token.deliver(1, &Arrival::new(&place, "first"), start()).unwrap();
    let known = &token.places[&place];
    assert_eq!((known.version, known.receipt.as_deref()), (Some(2), Some("second")));
    assert!(token.version(1).unwrap().delivered_to(&place), "it was there, and is waited for");
}

#[test]
fn repairs_of_a_place_are_counted_until_it_was_left_alone_for_a_month() {
    let (mut token, place) = staged();
    let mut at = start();
    for (days, times) in [(0, 1), (1, 2), (29, 3), (30, 1)] {
        at = Seconds::days(days).after(at);
        token.versions[0].expiry = None;
        token.versions[0].state = VersionState::Current;
        token.announce(1, &place, at).unwrap();
        token.deliver(1, &Arrival { repairs: true, ..Arrival::new(&place, "receipt") }, at).unwrap();
        token.deliver(1, &Arrival::new(&place, "receipt"), at).unwrap();
        let repairs = token.places[&place].repairs.unwrap();
        assert_eq!((repairs.times, repairs.last), (times, at));
    }
}

#[test]
fn what_is_announced_for_several_places_at_once_is_withdrawn_place_by_place() {
    let (mut token, first) = staged();
    let second = places()[1].id();
    let both = [first.clone(), second.clone(), first.clone()];
    let id = token.announce_each(1, &both, start()).unwrap().id;
    token.revision += 1;
    assert!(both.iter().all(|place| token.quiet_from(place) == Some((1, QUIET.after(start())))));
    token.withdraw(1, &first, id).unwrap();
    assert_eq!(token.withdraw(1, &first, id), Err(VersionError::NotAnnounced(1)), "named twice, it was announced once");
    assert!(token.version(1).unwrap().announced.is_some(), "it may be on its way to the second");
    token.withdraw(1, &second, id).unwrap();
    assert_eq!(token.version(1).unwrap().announced, None);
}

#[test]
fn where_one_of_several_places_is_unknown_none_is_announced() {
    let (mut token, first) = staged();
    let unknown = Place::new("dotenv", &[("path", "/nowhere")], true).id();
    let before = token.clone();
    let announced = token.announce_each(1, &[first, unknown.clone()], start());
    assert_eq!(announced, Err(VersionError::NoSuchPlace(unknown)));
    assert_eq!(token, before);
}
