//! The protocol: stage, announce, deliver, promote, retire.

mod any_order;

use latchkey::bounds::RECEIPT_MAX;
use latchkey::lifetime::Seconds;
use latchkey::place::{Place, PlaceId};
use latchkey::protocol::{Arrival, Look, QUIET, USE_LAG, VersionError, WRITE_BEFORE};
use latchkey::secret::Secret;
use latchkey::service::{ChangeError, Edit, Invalid, Issued};
use latchkey::token::{Token, TokenRef, VersionState};
use tests::world::{TERMS, World, managed_token};

type Answer<T> = Result<T, VersionError>;

/// One managed token and the operations on it.
struct Deploy {
    world: World,
    token: TokenRef,
    places: Vec<PlaceId>,
    secrets: Vec<Secret>,
}

impl Deploy {
    async fn to(places: &[Place]) -> Self {
        Self::on(World::new().await, places).await
    }

    async fn on(world: World, places: &[Place]) -> Self {
        world.user("ci", &[]).await;
        let made = world.create(managed_token("ci", "deploy", places)).await;
        let places = places.iter().map(Place::id).collect();
        let secrets = vec![made.secret];
        Self { world, token: made.token.reference(), places, secrets }
    }

    async fn token(&self) -> Token {
        self.world.service.holder(&self.token.key).await.unwrap().unwrap()
    }

    async fn stage(&mut self) -> Answer<u32> {
        let Issued { number, secret, .. } = rule(self.world.service.stage(&self.world.admin, &self.token).await)?;
        self.secrets.push(secret);
        assert_eq!(self.secrets.len(), number as usize);
        Ok(number)
    }

    async fn announce(&self, number: u32, place: &PlaceId) -> Answer<jiff::Timestamp> {
        let answer = self.world.service.announce(&self.world.admin, &self.token, number, place).await;
        rule(answer).map(|announced| announced.write_before)
    }

    async fn deliver(&self, number: u32, place: &PlaceId) -> Answer<Token> {
        rule(self.world.service.deliver(&self.world.admin, &self.token, number, &Arrival::new(place, "receipt")).await)
    }

    async fn promote(&self, number: u32) -> Answer<Token> {
        rule(self.world.service.promote(&self.world.admin, &self.token, number).await)
    }

    async fn retire(&self, number: u32, force: bool) -> Answer<Token> {
        let look = Look { at: self.world.now(), revision: self.token().await.revision };
        self.retire_after(number, look, force).await
    }

    async fn retire_after(&self, number: u32, look: Look, force: bool) -> Answer<Token> {
        rule(self.world.service.retire(&self.world.admin, &self.token, number, look, force).await)
    }

    /// Announces and delivers to every place, and promotes.
    async fn bring(&self, number: u32) {
        for place in &self.places {
            self.announce(number, place).await.unwrap();
            self.deliver(number, place).await.unwrap();
        }
        self.promote(number).await.unwrap();
    }

    async fn works(&self, number: u32) -> bool {
        self.world.invalid(self.secrets[number as usize - 1].expose()).await.is_none()
    }
}

#[track_caller]
fn rule<T>(answer: Result<T, ChangeError<VersionError>>) -> Answer<T> {
    answer.map_err(|error| match error {
        ChangeError::Rule(error) => error,
        other => panic!("{other}"),
    })
}

fn dotenv(path: &str) -> Place {
    Place::new("dotenv", &[("path", path)], true)
}

#[tokio::test]
async fn a_rotation_leaves_both_versions_working_until_the_older_is_retired() {
    let mut deploy = Deploy::to(&[dotenv("a"), dotenv("b")]).await;
    deploy.bring(1).await;
    assert_eq!(deploy.stage().await.unwrap(), 2);
    assert!(deploy.works(1).await && deploy.works(2).await, "a staged version works beside the current one");
    let place = deploy.places[0].clone();
    let write_before = deploy.announce(2, &place).await.unwrap();
    assert_eq!(write_before, Seconds::minutes(2).after(deploy.world.now()));
    assert_eq!(WRITE_BEFORE, Seconds::minutes(2));
    deploy.bring(2).await;
    let token = deploy.token().await;
    assert_eq!(token.current().unwrap().number, 2);
    assert_eq!(token.version(1).unwrap().state, VersionState::Retiring);
    assert_eq!(token.places[&place].version, Some(2));
    assert!(deploy.works(1).await && deploy.works(2).await);
    deploy.world.clock.advance(TERMS.overlap);
    deploy.retire(1, false).await.unwrap();
    assert_eq!(deploy.world.invalid(deploy.secrets[0].expose()).await, Some(Invalid::Retired));
    assert!(deploy.works(2).await);
    let token = deploy.token().await;
    assert_eq!(token.number_of(&deploy.secrets[0].fingerprint()), Some(1), "and is still known as ours");
}

#[tokio::test]
async fn only_the_highest_version_ever_staged_is_announced() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    let place = deploy.places[0].clone();
    deploy.announce(1, &place).await.unwrap();
    deploy.stage().await.unwrap();
    assert_eq!(deploy.announce(1, &place).await, Err(VersionError::Superseded { number: 1, highest: 2 }));
    deploy.announce(2, &place).await.unwrap();
    let elsewhere = dotenv("elsewhere").id();
    assert_eq!(deploy.announce(2, &elsewhere).await, Err(VersionError::NoSuchPlace(elsewhere)));
}

#[tokio::test]
async fn a_delivery_has_to_be_announced_and_its_receipt_is_short() {
    let deploy = Deploy::to(&[dotenv("a")]).await;
    let place = deploy.places[0].clone();
    assert_eq!(deploy.deliver(1, &place).await.unwrap_err(), VersionError::NotAnnounced(1));
    assert_eq!(deploy.deliver(7, &place).await.unwrap_err(), VersionError::NotLive(7));
    deploy.announce(1, &place).await.unwrap();
    let (admin, long) = (&deploy.world.admin, "x".repeat(RECEIPT_MAX + 1));
    let delivered = deploy.world.service.deliver(admin, &deploy.token, 1, &Arrival::new(&place, &long)).await;
    assert_eq!(rule(delivered).unwrap_err(), VersionError::ReceiptTooLong);
    let most = &long[..RECEIPT_MAX];
    let delivered = deploy.world.service.deliver(admin, &deploy.token, 1, &Arrival::new(&place, most)).await;
    assert_eq!(rule(delivered).unwrap().places[&place].receipt.as_deref(), Some(most));
}

#[tokio::test]
async fn a_version_is_promoted_only_when_it_arrived_at_every_place_declared_now() {
    let deploy = Deploy::to(&[dotenv("a"), dotenv("b")]).await;
    let (a, b) = (deploy.places[0].clone(), deploy.places[1].clone());
    assert_eq!(deploy.promote(1).await.unwrap_err(), VersionError::NotDelivered { number: 1, missing: 2 });
    deploy.announce(1, &a).await.unwrap();
    deploy.deliver(1, &a).await.unwrap();
    deploy.announce(1, &b).await.unwrap();
    assert_eq!(deploy.promote(1).await.unwrap_err(), VersionError::NotDelivered { number: 1, missing: 1 });
    // A place that is no longer declared does not count.
    let edit = Edit { places: Some(vec![dotenv("a")]), ..Edit::default() };
    deploy.world.service.edit(&deploy.world.admin, &deploy.token.key, None, None, &edit).await.unwrap();
    deploy.promote(1).await.unwrap();
}

#[tokio::test]
async fn what_arrived_is_reported_with_the_promotion_all_of_it_or_nothing() {
    let deploy = Deploy::to(&[dotenv("a"), dotenv("b")]).await;
    let (service, admin) = (&deploy.world.service, &deploy.world.admin);
    let (a, b) = (deploy.places[0].clone(), deploy.places[1].clone());
    let promote = async |places: &[&PlaceId], looked_at| {
        let arrivals = places.iter().map(|place| Arrival { looked_at: Some(looked_at), ..Arrival::new(place, "r") });
        rule(service.promote_arrived(admin, &deploy.token, 1, &arrivals.collect::<Vec<_>>()).await)
    };
    let now = deploy.world.now();
    deploy.announce(1, &a).await.unwrap();
    let before = deploy.token().await;
    assert_eq!(promote(&[&a, &b], now).await.unwrap_err(), VersionError::NotAnnounced(1));
    assert_eq!(promote(&[&a], now).await.unwrap_err(), VersionError::NotDelivered { number: 1, missing: 1 });
    assert_eq!(deploy.token().await, before, "nothing of it was done");
    let both = [a.clone(), b.clone()];
    rule(service.announce_each(admin, &deploy.token, 1, &both).await).unwrap();
    assert_eq!(promote(&[&a, &b], Seconds::minutes(6).before(now)).await.unwrap_err(), VersionError::StaleLook);
    let promoted = promote(&[&a, &b], now).await.unwrap();
    assert!(promoted.current().is_some_and(|current| both.iter().all(|place| current.delivered_to(place))));
    let events = service.events(deploy.token.key.user.as_str(), now, 10).await.unwrap();
    let told = Some(format!("version 1 at {a}, {b}"));
    assert!(events.iter().any(|event| event.action == "version.promote" && event.detail == told), "{events:?}");
    promote(&[&a, &b], now).await.expect("an answer that was lost is asked for again");
}

#[tokio::test]
async fn promotion_goes_up_only() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    let place = deploy.places[0].clone();
    deploy.announce(1, &place).await.unwrap();
    deploy.deliver(1, &place).await.unwrap();
    deploy.stage().await.unwrap();
    deploy.bring(2).await;
    assert_eq!(deploy.promote(1).await.unwrap_err(), VersionError::Superseded { number: 1, highest: 2 });
    let revision = deploy.token().await.revision;
    deploy.promote(2).await.unwrap();
    assert_eq!(deploy.token().await.revision, revision, "a second promotion changes nothing");
}

#[tokio::test]
async fn a_retirement_waits_for_overlap_quiet_and_disuse_and_rests_on_a_fresh_look() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    let place = deploy.places[0].clone();
    deploy.bring(1).await;
    assert_eq!(deploy.retire(1, true).await.unwrap_err(), VersionError::IsCurrent(1));
    deploy.stage().await.unwrap();
    assert_eq!(deploy.retire(2, true).await.unwrap_err(), VersionError::NotSuperseded(2));
    deploy.bring(2).await;
    let until = TERMS.overlap.after(deploy.world.now());
    assert_eq!(deploy.retire(1, true).await.unwrap_err(), VersionError::OverlapNotOver { number: 1, until });
    // Used in the last minute of its overlap.
    deploy.world.clock.set(Seconds(60).before(until));
    let valid = deploy.world.valid(deploy.secrets[0].expose()).await;
    deploy.world.service.note_use(&valid, None).await.unwrap();
    let last_used = deploy.world.now();
    deploy.world.clock.set(until);
    let again = USE_LAG.after(TERMS.overlap.after(last_used));
    let refused = VersionError::RecentlyUsed { number: 1, last_used, until: again };
    assert_eq!(deploy.retire(1, false).await.unwrap_err(), refused);
    let look = Look { at: deploy.world.now(), revision: deploy.token().await.revision };
    // Something was announced after the look.
    deploy.announce(2, &place).await.unwrap();
    assert_eq!(deploy.retire_after(1, look, true).await.unwrap_err(), VersionError::StaleLook);
    let look = Look { revision: deploy.token().await.revision, ..look };
    deploy.world.clock.advance(Seconds(301));
    assert_eq!(deploy.retire_after(1, look, true).await.unwrap_err(), VersionError::StaleLook, "five minutes at most");
    let early = Look { at: Seconds(60).before(until), ..look };
    assert!(deploy.retire_after(1, early, true).await.is_err(), "a look from before the overlap ended");
    deploy.world.clock.set(again);
    deploy.retire(1, false).await.unwrap();
    assert!(!deploy.works(1).await);
}

#[tokio::test]
async fn a_superseded_staged_version_is_retired_15_minutes_after_its_last_announcement() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    let place = deploy.places[0].clone();
    deploy.announce(1, &place).await.unwrap();
    let until = QUIET.after(deploy.world.now());
    deploy.stage().await.unwrap();
    assert_eq!(deploy.retire(1, true).await.unwrap_err(), VersionError::Announced { number: 1, until });
    deploy.world.clock.set(until);
    deploy.retire(1, false).await.unwrap();
    assert!(!deploy.works(1).await);
    assert!(deploy.works(2).await);
}

#[tokio::test]
async fn a_staged_version_that_nobody_announced_is_replaced_and_dies_after_a_day() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    deploy.bring(1).await;
    deploy.stage().await.unwrap();
    deploy.stage().await.unwrap();
    assert!(!deploy.works(2).await && deploy.works(3).await);
    deploy.world.clock.advance(Seconds::days(1));
    assert_eq!(deploy.world.invalid(deploy.secrets[2].expose()).await, Some(Invalid::Expired));
    assert!(deploy.works(1).await);
}

#[tokio::test]
async fn a_staged_version_that_somebody_uses_is_not_replaced() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    deploy.bring(1).await;
    deploy.stage().await.unwrap();
    let valid = deploy.world.valid(deploy.secrets[1].expose()).await;
    deploy.world.service.note_use(&valid, None).await.unwrap();
    deploy.stage().await.unwrap();
    assert!(deploy.works(2).await && deploy.works(3).await);
}

#[tokio::test]
async fn so_many_versions_work_at_once_and_no_more() {
    // Twice as many as one rotation needs, or a place more each, and what repairs may take besides.
    for (places, most) in [(0, 8), (2, 8), (4, 10)] {
        // Places that cannot be read block retirement, each for a version of its own.
        let places: Vec<Place> =
            (0..places).map(|number| Place::new("vercel", &[("name", &number.to_string())], false)).collect();
        let extra = dotenv("a");
        let mut all = places.clone();
        all.push(extra.clone());
        let mut deploy = Deploy::to(&all).await;
        for number in 1..=most {
            deploy.announce(number, &extra.id()).await.unwrap();
            if number < most {
                deploy.stage().await.unwrap();
            }
        }
        let refused = deploy.stage().await.unwrap_err();
        assert_eq!(refused, VersionError::TooManyVersions { live: most as usize });
        for number in 1..=most {
            assert!(deploy.works(number).await);
        }
    }
}

#[tokio::test]
async fn a_call_that_means_an_earlier_token_of_the_name_is_refused() {
    let deploy = Deploy::to(&[dotenv("a")]).await;
    deploy.world.delete("ci", "deploy").await;
    let made = deploy.world.create(managed_token("ci", "deploy", &[dotenv("a")])).await;
    let (service, admin) = (&deploy.world.service, &deploy.world.admin);
    let place = deploy.places[0].clone();
    let refused = service.announce(admin, &deploy.token, 1, &place).await;
    assert!(matches!(refused, Err(ChangeError::Replaced { found, .. }) if found == made.token.id));
    let refused = service.stage(admin, &deploy.token).await;
    assert!(matches!(refused, Err(ChangeError::Replaced { .. })));
    let refused = service.promote(admin, &deploy.token, 1).await;
    assert!(matches!(refused, Err(ChangeError::Replaced { .. })));
}

#[tokio::test]
async fn a_managed_token_that_expired_gets_a_new_version() {
    let mut deploy = Deploy::to(&[dotenv("a")]).await;
    deploy.bring(1).await;
    deploy.world.clock.advance(TERMS.expires_in);
    assert_eq!(deploy.world.invalid(deploy.secrets[0].expose()).await, Some(Invalid::Expired));
    let number = deploy.stage().await.unwrap();
    deploy.bring(number).await;
    assert!(deploy.works(number).await);
    assert_eq!(deploy.world.service.user(&deploy.token.key.user).await.unwrap().unwrap().active, 1);
}
