//! What a manifest publishes for the scheduled job: in an order that a crash leaves readable, and never two at once.

use std::collections::BTreeMap;

use latchkey::service::{PUBLISHED_PUSH_MAX, PUBLISHED_SINKS_MAX, PublishError, PublishedRow, PublishedToken};
use latchkey::table::item::Value;
use latchkey::table::keys::{self, Key};
use latchkey::token::TokenKey;
use provisioner::publication::{Publication, publish};
use provisioner::service::Client;
use tests::engine::Engine;
use tests::world::{World, key, name};

/// A publication whose tokens have these pushes.
fn publication(sinks: &str, tokens: &[(&str, &str)]) -> Publication {
    let tokens = tokens.iter().map(|(token, push)| (key("ci", token), (*push).to_owned())).collect();
    Publication { sinks: sinks.to_owned(), tokens, skipped: Vec::new(), left_out: BTreeMap::new() }
}

fn before() -> Publication {
    publication("old", &[("changed", "old"), ("gone", "old"), ("same", "old")])
}

fn after() -> Publication {
    publication("new", &[("changed", "new"), ("made", "new"), ("same", "old")])
}

async fn client(world: &World) -> Client {
    Client::operator(world.another(2).await, "publisher")
}

/// What is published: the sinks, and each row's pushes and number.
type Stored = (Option<(String, u64)>, BTreeMap<TokenKey, (String, u64)>);

async fn stored(world: &World) -> Stored {
    let head = world.service.publication(&name("acme")).await.unwrap();
    let page = world.service.published_tokens(&name("acme"), 500, None).await.unwrap();
    assert!(page.next.is_none());
    let rows = page.tokens.into_iter().map(|row| (row.key(), (row.push, row.number)));
    (head.map(|head| (head.sinks, head.number)), rows.collect())
}

/// Whether all that is stored is a publication that was completed, and nothing else.
fn is(stored: &Stored, publication: &Publication) -> bool {
    let Some((sinks, number)) = &stored.0 else { return false };
    let rows: BTreeMap<TokenKey, String> =
        stored.1.iter().map(|(token, (push, _))| (token.clone(), push.clone())).collect();
    *sinks == publication.sinks && rows == publication.tokens && stored.1.values().all(|(_, by)| by <= number)
}

#[tokio::test]
async fn what_is_published_comes_back_page_by_page_with_who_published_it_and_when() {
    let world = World::new().await;
    let acme = name("acme");
    world.service.note_applied(&world.admin, &acme, Some(6), None).await.unwrap();
    let published = publish(client(&world).await.publishing(), &acme, (Some(7), false), &before()).await.unwrap();
    assert_eq!((published.written, published.removed, published.unchanged), (3, 0, false));
    assert!(is(&stored(&world).await, &before()));
    let head = world.service.publication(&acme).await.unwrap().unwrap();
    assert_eq!((head.revision, head.tokens, head.published), (Some(7), 3, world.now()));
    assert_eq!(head.by, "operator:publisher");
    let first = world.service.published_tokens(&acme, 2, None).await.unwrap();
    let rest = world.service.published_tokens(&acme, 2, first.next.as_ref()).await.unwrap();
    let tokens: Vec<TokenKey> = first.tokens.iter().chain(&rest.tokens).map(PublishedToken::key).collect();
    assert_eq!(tokens, ["changed", "gone", "same"].map(|token| key("ci", token)));
    assert!(rest.next.is_none());
    let events = world.service.role_events(world.now(), 10).await.unwrap();
    let told: Vec<&str> = events.iter().filter_map(|event| event.detail.as_deref()).collect();
    assert!(told.iter().any(|detail| detail.starts_with("acme: publication 1 of revision 7: tokens: 3")), "{told:?}");
    assert!(world.service.publication(&name("other")).await.unwrap().is_none());
}

#[tokio::test]
async fn an_older_revision_than_the_published_or_the_applied_one_is_refused_unless_it_is_forced() {
    let world = World::new().await;
    let acme = name("acme");
    let begin = async |revision, force| world.service.begin_publication(&world.admin, &acme, revision, force).await;
    let number = begin(Some(7), false).await.unwrap();
    assert!(begin(Some(6), false).await.is_ok(), "nothing was published yet");
    let number = begin(Some(7), false).await.map(|last| last.max(number)).unwrap();
    world.service.complete_publication(&world.admin, &acme, number, ("", 0)).await.unwrap();
    let refused = begin(Some(6), false).await;
    assert!(matches!(refused, Err(PublishError::OlderRevision { revision: 6, newer: 7, .. })), "{refused:?}");
    for revision in [None, Some(7), Some(8)] {
        assert!(begin(revision, false).await.is_ok(), "{revision:?}");
    }
    world.service.note_applied(&world.admin, &acme, Some(9), None).await.unwrap();
    let refused = begin(Some(8), false).await;
    assert!(matches!(refused, Err(PublishError::OlderRevision { revision: 8, newer: 9, .. })), "{refused:?}");
    let number = begin(Some(6), true).await.unwrap();
    let done = world.service.complete_publication(&world.admin, &acme, number, ("", 0)).await.unwrap();
    assert_eq!(done.revision, Some(6));
}

/// The newer revision is completed after the older one was compared with what was published, and before it has begun.
#[tokio::test]
async fn an_older_revision_that_begins_while_a_newer_one_is_completed_is_refused() {
    let world = World::new().await;
    let acme = name("acme");
    let newer = world.service.begin_publication(&world.admin, &acme, Some(7), false).await.unwrap();
    let slow = world.another(2).await;
    // Both reads of the older one pass, and the read of whose turn it is waits.
    world.store.faults.hold_after(2);
    let older = slow.begin_publication(&world.admin, &acme, Some(6), false);
    let between = async {
        world.store.faults.held().await;
        world.service.complete_publication(&world.admin, &acme, newer, ("newer", 0)).await.unwrap();
        world.store.faults.release();
    };
    let (refused, ()) = tokio::join!(older, between);
    assert!(matches!(refused, Err(PublishError::OlderRevision { revision: 6, newer: 7, .. })), "{refused:?}");
    assert_eq!(world.service.publication(&acme).await.unwrap().unwrap().revision, Some(7));
}

#[tokio::test]
async fn of_two_that_publish_at_once_the_later_one_stands_and_nothing_of_the_other_one_does() {
    let world = World::new().await;
    let (service, admin, acme) = (&world.service, &world.admin, name("acme"));
    let row = |token: &str, push: &str| PublishedRow { token: key("ci", token), push: Some(push.to_owned()) };
    let one = service.begin_publication(admin, &acme, None, false).await.unwrap();
    service.publish_tokens(admin, &acme, one, &[row("both", "one"), row("first", "one")]).await.unwrap();
    let other = service.begin_publication(admin, &acme, None, false).await.unwrap();
    let late = service.publish_tokens(admin, &acme, one, &[row("late", "one")]).await;
    assert!(matches!(late, Err(PublishError::Overtaken { number }) if number == one), "{late:?}");
    let late = service.complete_publication(admin, &acme, one, ("one", 3)).await.map(|_| ());
    assert!(matches!(late, Err(PublishError::Overtaken { .. })), "{late:?}");
    assert_eq!(service.publication(&acme).await.unwrap(), None);
    // The later one reads after it has begun, and so removes what it does not want.
    service.publish_tokens(admin, &acme, other, &[row("both", "other")]).await.unwrap();
    service.complete_publication(admin, &acme, other, ("other", 1)).await.unwrap();
    let gone = PublishedRow { token: key("ci", "first"), push: None };
    service.publish_tokens(admin, &acme, other, &[gone]).await.unwrap();
    assert!(is(&stored(&world).await, &publication("other", &[("both", "other")])));
    // Nobody publishes who has not begun.
    for number in [one, other + 1] {
        let refused = service.publish_tokens(admin, &acme, number, &[row("more", "x")]).await;
        assert!(matches!(refused, Err(PublishError::Overtaken { .. })), "{number}: {refused:?}");
    }
}

#[tokio::test]
async fn two_whole_publications_at_once_end_as_one_of_them() {
    let world = World::new().await;
    let (one, other) = (client(&world).await, client(&world).await);
    let (acme, now) = (name("acme"), (None, false));
    let (before, after) = (before(), after());
    let both =
        tokio::join!(publish(one.publishing(), &acme, now, &before), publish(other.publishing(), &acme, now, &after));
    assert!(both.0.is_ok() || both.1.is_ok(), "{both:?}");
    let stored = stored(&world).await;
    let wanted = if both.1.is_err() { &before } else { &after };
    assert!(is(&stored, wanted) || (both.0.is_ok() && is(&stored, &before)), "{stored:?} {both:?}");
}

#[tokio::test]
async fn a_publication_that_was_killed_leaves_rows_that_are_old_or_new_and_its_sinks_tell_which() {
    let (mut killed, acme) = (0, name("acme"));
    let (before, after) = (before(), after());
    for requests in 0.. {
        let world = World::new().await;
        let publisher = client(&world).await;
        publish(publisher.publishing(), &acme, (None, false), &before).await.unwrap();
        world.store.faults.cut_after(requests);
        let done = publish(publisher.publishing(), &acme, (None, false), &after).await;
        world.store.faults.mend();
        let left = stored(&world).await;
        let (sinks, number) = left.0.clone().unwrap();
        let completed = if sinks == "new" { &after } else { &before };
        for (token, (push, by)) in &left.1 {
            let [was, is] = [&before, &after].map(|publication| publication.tokens.get(token));
            assert!([was, is].contains(&Some(push)), "{requests}: {token} has {push}");
            // What has no higher number than the sinks is of their publication, or of one before it that is removed next.
            if *by <= number {
                let wanted = completed.tokens.get(token);
                assert!(wanted == Some(push) || (sinks == "new" && wanted.is_none()), "{requests}: {token}");
            }
        }
        if sinks == "new" {
            assert!(after.tokens.iter().all(|(token, push)| left.1[token].0 == *push), "{requests}: {left:?}");
        }
        if done.is_ok() {
            assert!(is(&left, &after), "{left:?}");
            break;
        }
        killed += 1;
        publish(publisher.publishing(), &acme, (None, false), &after).await.unwrap();
        let mended = stored(&world).await;
        assert!(is(&mended, &after), "{requests}: {mended:?}");
    }
    assert!(killed >= 8, "{killed}");
}

#[tokio::test]
async fn what_was_withdrawn_leaves_no_sinks_and_no_row_wherever_it_was_killed() {
    let acme = name("acme");
    for requests in 0.. {
        let world = World::new().await;
        let publisher = client(&world).await;
        publish(publisher.publishing(), &acme, (None, false), &before()).await.unwrap();
        world.store.faults.cut_after(requests);
        let done = publisher.withdraw_publication(&acme).await;
        world.store.faults.mend();
        let left = stored(&world).await;
        assert!(left.0.is_none() || is(&left, &before()), "the sinks go first: {left:?}");
        if done.is_err() {
            publisher.withdraw_publication(&acme).await.unwrap();
        }
        assert_eq!(stored(&world).await, (None, BTreeMap::new()));
        let published = |key: &Key| key.pk == "M#acme" && key.sk.starts_with('P');
        assert!(!world.items().await.iter().filter_map(Key::of).any(|key| published(&key)));
        let events = world.service.role_events(world.now(), 20).await.unwrap();
        let told = events.iter().filter(|event| event.action == "manifest.withdraw").count();
        assert!(told == 1 || (told == 2 && done.is_err()), "{told}");
        // Nobody who began before it goes on after it.
        let late = world.service.complete_publication(&world.admin, &acme, 1, ("late", 0)).await.map(|_| ());
        assert!(matches!(late, Err(PublishError::Overtaken { .. })), "{late:?}");
        if done.is_ok() {
            assert!(requests >= 4);
            break;
        }
    }
}

#[tokio::test]
async fn withdrawing_more_rows_than_a_transaction_has_takes_them_all() {
    let world = World::new().await;
    let tokens: Vec<String> = (0..250).map(|number| format!("token-{number:03}")).collect();
    let tokens: Vec<(&str, &str)> = tokens.iter().map(|token| (token.as_str(), "push")).collect();
    let (publisher, acme) = (client(&world).await, name("acme"));
    publish(publisher.publishing(), &acme, (None, false), &publication("sinks", &tokens)).await.unwrap();
    assert_eq!(stored(&world).await.1.len(), 250);
    publisher.withdraw_publication(&acme).await.unwrap();
    assert_eq!(stored(&world).await, (None, BTreeMap::new()));
    let before = world.items().await.len();
    publisher.withdraw_publication(&acme).await.unwrap();
    assert_eq!(world.items().await.len(), before, "withdrawing nothing writes nothing");
}

#[tokio::test]
async fn texts_and_lists_have_their_bounds() {
    let world = World::new().await;
    let (service, admin, acme) = (&world.service, &world.admin, name("acme"));
    let number = service.begin_publication(admin, &acme, None, false).await.unwrap();
    let row = |token: usize, size: usize| PublishedRow {
        token: key("ci", &format!("t{token}")),
        push: Some("p".repeat(size)),
    };
    let write = async |rows: &[PublishedRow]| service.publish_tokens(admin, &acme, number, rows).await;
    assert!(matches!(write(&[]).await, Err(PublishError::Rows(0))));
    let most: Vec<PublishedRow> = (0..99).map(|token| row(token, 10)).collect();
    write(&most).await.unwrap();
    assert!(matches!(write(&[most, vec![row(99, 10)]].concat()).await, Err(PublishError::Rows(100))));
    write(&[row(0, PUBLISHED_PUSH_MAX)]).await.unwrap();
    for size in [0, PUBLISHED_PUSH_MAX + 1] {
        assert!(matches!(write(&[row(1, 1), row(0, size)]).await, Err(PublishError::PushSize { index: 1, .. })));
    }
    assert!(matches!(write(&[row(1, 1), row(1, 2)]).await, Err(PublishError::Twice { index: 1, .. })));
    let complete = async |size: usize| {
        let sinks = "s".repeat(size);
        service.complete_publication(admin, &acme, number, (&sinks, 99)).await.map(|_| ())
    };
    assert!(matches!(complete(PUBLISHED_SINKS_MAX + 1).await, Err(PublishError::SinksTooLarge(_))));
    complete(PUBLISHED_SINKS_MAX).await.unwrap();
}

/// `LATCHKEY_PUBLISHED` sets another number of tokens.
#[tokio::test]
async fn publishing_costs_calls_by_pages_and_what_is_published_already_costs_reads_only() {
    let world = World::on(Engine::Dynoxide).await;
    let many = std::env::var("LATCHKEY_PUBLISHED").ok().and_then(|many| many.parse().ok()).unwrap_or(1500_usize);
    let push = "[[push]]\nname = \"prod/acme-platform/renderer/api-token\"\nsink = \"vault\"\n";
    let tokens: Vec<String> = (0..many).map(|number| format!("token-{number:05}")).collect();
    let tokens: Vec<(&str, &str)> = tokens.iter().map(|token| (token.as_str(), push)).collect();
    let sinks = "[sinks.vault]\nregion = \"eu-west-1\"\ntype = \"aws-secrets-manager\"\n";
    let mut wanted = publication(sinks, &tokens);
    let (publisher, acme) = (client(&world).await, name("acme"));
    let mut told = world.store.table.counted();
    let mut cost = || {
        let now = world.store.table.counted();
        let cost = (usize::try_from(now.calls - told.calls).unwrap(), now.units - told.units);
        told = now;
        cost
    };
    let _ = cost();
    publish(publisher.publishing(), &acme, (None, false), &wanted).await.unwrap();
    let (calls, units) = cost();
    println!("{many} tokens, first: {calls} calls, {units} units");
    // The sinks, then who is next (2), the rows that there are, the rows by 99, and the end (2).
    assert_eq!(calls, 1 + 2 + 1 + many.div_ceil(99) + 2);
    publish(publisher.publishing(), &acme, (None, false), &wanted).await.unwrap();
    let (calls, units) = cost();
    println!("{many} tokens, unchanged: {calls} calls, {units} units");
    assert!(calls <= 2 + many.div_ceil(500), "{calls}");
    wanted.tokens.insert(key("ci", "token-00000"), "changed".to_owned());
    publish(publisher.publishing(), &acme, (None, false), &wanted).await.unwrap();
    let (calls, units) = cost();
    println!("{many} tokens, one changed: {calls} calls, {units} units");
    assert!(calls <= 2 * (2 + many.div_ceil(500)) + 2 + 1 + 2, "{calls}");
}

/// What an earlier release let manifests publish: a text, which nothing ever read.
#[tokio::test]
async fn the_text_of_an_earlier_release_is_no_publication_and_in_nobodys_way() {
    let world = World::new().await;
    let acme = name("acme");
    let mut item = keys::publication(&acme).item();
    item.insert("text".to_owned(), Value::S("manifest = \"acme\"".to_owned()));
    world.store.raw.put([item]).await;
    assert_eq!(world.service.publication(&acme).await.unwrap(), None);
    let number = world.service.begin_publication(&world.admin, &acme, None, false).await.unwrap();
    world.service.complete_publication(&world.admin, &acme, number, ("", 0)).await.unwrap();
    assert_eq!(world.service.publication(&acme).await.unwrap().map(|publication| publication.number), Some(number));
}
