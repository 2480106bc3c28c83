//! What operations cost, and how large items grow: on dynoxide, which counts as DynamoDB does.

use std::collections::BTreeMap;

use latchkey::place::Place;
use latchkey::service::NewToken;
use latchkey::table::keys;
use tests::engine::Engine;
use tests::world::{World, item_size, managed_token, name, new_token};

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
        // A managed create looks at roles: have them read.
        world.service.permissions_of(&[name("reader")]).await.unwrap();
        let before = world.store.table.counted();
        let description = Some("Renders invoices for the acme platform".to_owned());
        world.create(NewToken { description, ..new }).await;
        let after = world.store.table.counted();
        let reads = 1.0;
        let written = after.units - before.units - (after.index_units - before.index_units) - reads;
        assert_eq!(after.calls - before.calls, 2);
        assert!(written > 1.0 && written <= 8.0, "create wrote {written} units");
        assert!(after.index_units > before.index_units);
        world.delete("ana", "laptop").await;
        let done = world.store.table.counted();
        let written = done.units - after.units - (done.index_units - after.index_units) - reads;
        assert_eq!(done.calls - after.calls, 2);
        assert!(written > 1.0 && written <= 10.0, "delete wrote {written} units");
    }
}

/// As much of everything as is accepted.
#[tokio::test]
async fn the_verification_item_stays_under_1_kb_and_the_record_under_4() {
    let world = World::new().await;
    let user = format!("ci@{}", "x".repeat(61));
    let token = "t".repeat(64);
    let roles: Vec<String> = (0..6).map(|number| format!("role-{number}-{}", "x".repeat(50))).collect();
    for role in &roles {
        world.role(role, &["documents:read"]).await;
    }
    world.user(&user, &roles.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let places: Vec<Place> = (0..5)
        .map(|number| {
            let path = format!("/home/someone/projects/acme-platform/services/renderer-{number}/.env");
            Place::new(
                "dotenv",
                &[("machine", "workstation-123456"), ("path", &path), ("key", "POGODOC_API_TOKEN")],
                number > 2,
            )
        })
        .collect();
    let mut labels = BTreeMap::new();
    let mut size = 0;
    for number in 0.. {
        let (label, value) = (format!("label-{number:02}"), "v".repeat(32));
        size += label.len() + value.len() + 8;
        if size > latchkey::token::LABELS_MAX {
            break;
        }
        labels.insert(label, value);
    }
    let mut networks: Vec<ipnet::IpNet> = Vec::new();
    let fixed = user.len() + token.len() + roles.iter().map(|role| role.len() + 1).sum::<usize>();
    let mut used = fixed;
    for number in 0..20 {
        let network = format!("2001:db8:{number}::/48");
        used += network.len() + 1;
        if used > latchkey::token::VERIFICATION_MAX {
            break;
        }
        networks.push(network.parse().unwrap());
    }
    let description = Some("d".repeat(latchkey::token::DESCRIPTION_MAX));
    let new = NewToken { description, labels, allowed_ips: networks, ..managed_token(&user, &token, &places) };
    let made = world.create(new).await;
    let key = (&name(&user), &name(&token));
    let receipt = "r".repeat(latchkey::token::RECEIPT_MAX);
    let admin = &world.admin;
    // Twenty retired versions, then four live ones, each of them everywhere.
    for _ in 0..20 {
        world.service.stage(admin, key, &made.token.id).await.unwrap();
    }
    for number in 21..=24 {
        for place in &places {
            world.service.announce(admin, key, &made.token.id, number, &place.id()).await.unwrap();
            world.service.deliver(admin, key, &made.token.id, number, (&place.id(), &receipt)).await.unwrap();
        }
        world.service.promote(admin, key, &made.token.id, number).await.unwrap();
        if number < 24 {
            world.service.stage(admin, key, &made.token.id).await.unwrap();
        }
    }
    let record = world.item(&keys::token(key.0, key.1)).await.unwrap();
    let verification = world.item(&keys::verification(&made.token.id)).await.unwrap();
    let token = world.service.show(key.0, key.1).await.unwrap().unwrap();
    assert_eq!((token.versions.len(), token.retired.len()), (4, 20));
    let mut parts: Vec<(usize, &String)> =
        record.iter().map(|(name, value)| (item_size(&[(name.clone(), value.clone())].into()), name)).collect();
    parts.sort_unstable();
    assert!(item_size(&verification) < 1024, "{} {verification:?}", item_size(&verification));
    assert!(item_size(&record) < 4096, "{} {parts:?}", item_size(&record));
}
