//! Copying a table: what a cut leaves, and what may never be overwritten.

use latchkey::table::{CopyError, CopyNames};
use tests::engine::Store;
use tests::world::{World, key, name};

async fn world() -> World {
    let world = World::new().await;
    world.role("reader", &["documents:read"]).await;
    world.user("ann", &["reader"]).await;
    for number in 0..30 {
        world
            .change_user("ann", latchkey::service::UserChange { max_tokens: Some(Some(99)), ..Default::default() })
            .await;
        world.token("ann", &format!("job-{number}")).await;
    }
    world
}

const NAMES: CopyNames<'_> = CopyNames { source: "here", target: "there" };

#[tokio::test]
async fn a_copy_cut_short_anywhere_goes_on_and_ends_with_the_same_items() {
    let world = world().await;
    let items = world.items().await.len() as u64;
    for cut in [0, 1, 2, 3, 5, 8, 12] {
        let target = Store::open().await;
        target.faults.cut_after(cut);
        let stopped = world.store.table.copy_to(&target.table, NAMES, world.now(), |_| ()).await;
        assert!(matches!(stopped, Err(CopyError::Table(_))), "cut after {cut} requests: {stopped:?}");
        let _ = target.faults.mend();
        // Meanwhile a token ends at the source: it must not come back to life in the copy.
        if world.service.show(&key("ann", &format!("job-{cut}"))).await.unwrap().is_some() {
            world.delete("ann", &format!("job-{cut}")).await;
        }
        let copied = world.store.table.copy_to(&target.table, NAMES, world.now(), |_| ()).await.unwrap();
        assert!(copied.items >= items);
        let again = world.store.table.copy_to(&target.table, NAMES, world.now(), |_| ()).await;
        assert!(matches!(again, Err(CopyError::Done { differing: 0, .. })), "{again:?}");
    }
}

#[tokio::test]
async fn a_half_made_copy_that_somebody_used_is_left_as_it_is() {
    let world = world().await;
    let target = Store::open().await;
    target.faults.cut_after(5);
    assert!(world.store.table.copy_to(&target.table, NAMES, world.now(), |_| ()).await.is_err());
    let _ = target.faults.mend();
    let entropy = std::sync::Arc::new(tests::clock::SeededEntropy::new(7));
    let there = latchkey::service::Service::open(target.table.clone(), world.clock.clone(), entropy).await.unwrap();
    let admin = latchkey::service::Caller::operator("there");
    there.put_user(&admin, &name("eve"), &latchkey::service::UserChange::default()).await.unwrap();
    there.create(&admin, tests::world::new_token("eve", "made-there")).await.unwrap();
    let used = world.store.table.copy_to(&target.table, NAMES, world.now(), |_| ()).await;
    assert!(matches!(used, Err(CopyError::Used { .. })), "{used:?}");
    let kept = there.show(&key("eve", "made-there")).await.unwrap();
    assert!(kept.is_some());
    // And a half-made copy is nobody's source.
    let third = Store::open().await;
    let names = CopyNames { source: "there", target: "third" };
    let half = target.table.copy_to(&third.table, names, world.now(), |_| ()).await;
    assert!(matches!(half, Err(CopyError::Unfinished(_))), "{half:?}");
}
