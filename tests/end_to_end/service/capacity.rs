//! What operations cost, and how large items grow: on dynoxide, which counts as DynamoDB does.

use std::collections::BTreeMap;

use latchkey::bounds::ADDRESSES_MAX;
use latchkey::lifetime::Seconds;
use latchkey::notice::NoticeKind;
use latchkey::place::Place;
use latchkey::service::{NewToken, Verdict};
use latchkey::table::item::size as item_size;
use latchkey::table::keys;
use tests::engine::Engine;
use tests::world::{World, managed_token, new_token};

#[tokio::test]
async fn a_check_reads_one_unit_in_one_call() {
    let world = World::on(Engine::Dynoxide).await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    let made = world.token("ana", "laptop").await;
    world.valid(made.secret.expose()).await;
    let before = world.store.table.counted();
    world.valid(made.secret.expose()).await;
    let after = world.store.table.counted();
    assert_eq!((after.calls - before.calls, after.units - before.units), (1, 1.0));
}

#[tokio::test]
async fn a_create_writes_at_most_8_units_and_a_delete_10_besides_indexes() {
    let world = World::on(Engine::Dynoxide).await;
    world.role("reader", &["documents:read"]).await;
    world.user("ana", &["reader"]).await;
    for managed in [false, true] {
        let places =
            [Place::new("dotenv", &[("machine", "host-123456"), ("path", "/srv/app/.env"), ("key", "TOKEN")], true)];
        let new = if managed { managed_token("ana", "laptop", &places) } else { new_token("ana", "laptop") };
        let before = world.store.table.counted();
        let description = Some("Renders invoices for the acme platform".to_owned());
        world.create(NewToken { description, ..new }).await;
        let after = world.store.table.counted();
        // A managed create looks at what its roles allow now.
        let (calls, reads) = if managed { (3, 2.0) } else { (2, 1.0) };
        let written = after.units - before.units - (after.index_units - before.index_units) - reads;
        assert_eq!(after.calls - before.calls, calls);
        assert!(written > 1.0 && written <= 8.0, "create wrote {written} units");
        assert!(after.index_units > before.index_units);
        world.delete("ana", "laptop").await;
        let done = world.store.table.counted();
        let reads = 1.0;
        let written = done.units - after.units - (done.index_units - after.index_units) - reads;
        assert_eq!(done.calls - after.calls, 2);
        assert!(written > 1.0 && written <= 10.0, "delete wrote {written} units");
    }
}

/// How much a token takes that has five places, four live versions in each of them and twenty retired ones.
struct Large {
    names: usize,
    roles: usize,
    networks: usize,
    description: usize,
    labels: usize,
    receipt: usize,
}

impl Large {
    /// The sizes of the record, once it was used from so many networks and what can be was told of it, and of the
    /// verification item.
    async fn sizes(&self, world: &World, addresses: usize) -> (usize, usize) {
        let (user, token) = ("u".repeat(self.names), "t".repeat(self.names));
        let roles: Vec<String> = (0..self.roles).map(|number| format!("role-{number}-{}", "x".repeat(33))).collect();
        for role in &roles {
            world.role(role, &["documents:read"]).await;
        }
        world.user(&user, &roles.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let places: Vec<Place> = (0..5)
            .map(|number| {
                let path = format!("/srv/acme-platform/renderer-{number}/.env");
                let parts = [("machine", "workstation-123456"), ("path", &path), ("key", "POGODOC_API_TOKEN")];
                Place::new("dotenv", &parts, number > 2)
            })
            .collect();
        let new = NewToken {
            description: Some("d".repeat(self.description)),
            labels: BTreeMap::from([("label".to_owned(), "v".repeat(self.labels - 13))]),
            allowed_ips: (0..self.networks).map(|number| format!("2001:db8:{number}::/48").parse().unwrap()).collect(),
            ..managed_token(&user, &token, &places)
        };
        let (token, admin) = (&world.create(new).await.token.reference(), &world.admin);
        let receipt = "r".repeat(self.receipt);
        for _ in 0..19 {
            world.service.stage(admin, token).await.unwrap();
        }
        let mut secret = world.service.stage(admin, token).await.unwrap().secret;
        for number in 21..=24 {
            for place in &places {
                world.service.announce(admin, token, number, &place.id()).await.unwrap();
                world
                    .service
                    .deliver(admin, token, number, &latchkey::protocol::Arrival::new(&place.id(), &receipt))
                    .await
                    .unwrap();
            }
            world.service.promote(admin, token, number).await.unwrap();
            if number < 24 {
                secret = world.service.stage(admin, token).await.unwrap().secret;
            }
        }
        // From one of its networks.
        let from = Some("2001:db8::1".parse().unwrap());
        let verdict = world.service.verify(secret.expose(), from).await.unwrap();
        let Verdict::Valid(valid) = verdict else { panic!("not valid") };
        for number in 0..addresses {
            let from = format!("2001:1db8:1111:{:x}::1", 0x1000 + number).parse().unwrap();
            world.service.note_use(&valid, Some(from)).await.unwrap();
        }
        world.clock.advance(Seconds::days(89));
        for kind in [NoticeKind::Expiring, NoticeKind::Overdue, NoticeKind::RotationFailed] {
            let read = world.service.holder(&token.key).await.unwrap().unwrap();
            world.service.tell(admin, &read, kind, None).await.unwrap();
        }
        let found = world.service.show(&token.key).await.unwrap().unwrap();
        assert!(found.told.as_ref().is_some_and(|told| told.mark == Some(1) && told.overdue && told.failed.is_some()));
        assert_eq!(found.addresses.len(), addresses);
        assert_eq!((found.versions.len(), found.retired.len()), (4, 20));
        let record = world.item(&keys::token(&token.key)).await.unwrap();
        let verification = world.item(&keys::verification(&token.id)).await.unwrap();
        (item_size(&record), item_size(&verification))
    }
}

#[tokio::test]
async fn the_verification_item_stays_under_1_kb_with_as_much_of_everything_as_is_accepted() {
    let world = World::new().await;
    let most = Large {
        names: 64,
        roles: 8,
        networks: 13,
        description: latchkey::bounds::DESCRIPTION_MAX,
        labels: latchkey::bounds::LABELS_MAX,
        receipt: latchkey::bounds::RECEIPT_MAX,
    };
    let (record, verification) = most.sizes(&world, ADDRESSES_MAX).await;
    assert!(verification < 1024, "{verification}");
    // Texts and receipts at their limits all at once take it over the 4 KB of a large token.
    assert!(record < 7 * 1024, "{record}");
    let more = NewToken {
        allowed_ips: (0..14).map(|number| format!("2001:db8:{number}::/48").parse().unwrap()).collect(),
        ..new_token(&"u".repeat(64), &"s".repeat(64))
    };
    assert!(world.service.create(&world.admin, more).await.is_err(), "it was the most");
}

#[tokio::test]
async fn the_record_of_a_large_token_stays_under_4_kb() {
    let large = Large { names: 32, roles: 4, networks: 4, description: 120, labels: 160, receipt: 80 };
    // Each network that it was used from takes some bytes more, so that 32 of them take another unit.
    for (addresses, most) in [(0, 4096), (ADDRESSES_MAX, 5 * 1024)] {
        let (record, _) = large.sizes(&World::new().await, addresses).await;
        println!("{record} bytes when used from {addresses} networks");
        assert!(record < most, "{record}");
    }
}
