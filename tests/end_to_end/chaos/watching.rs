//! The watcher on whom the other tests rest does see what goes wrong.

use tests::chaos::{FOREIGN_LINES, Layout, Shape, World};

#[test]
fn the_watcher_sees_dead_secrets_and_foreign_changes() {
    let world = World::start();
    let machine = world.machine("one");
    let layout = Layout::new(Shape::Mixed, 5, world.endpoint());
    world.plant(&layout);
    machine.write("tokens.toml", &layout.text());
    machine.run(&["apply"]).expect(&[0]);
    let records = world.records(&machine.path("latchkey.db"));
    world.watch(&records, &layout, &[&machine]).stop().expect_clean(5);

    // Its expiry is announced long before; nobody applied.
    world.forward(91 * 24);
    let watched = world.watch(&records, &layout, &[&machine]).stop();
    let places: usize = layout.declared(machine.folder()).iter().map(|token| token.spots.len()).sum();
    let dead = |place: &str| watched.violations.iter().any(|text| text.contains(place) && text.contains("dead"));
    assert!(dead(".env WORKER_00_TOKEN") && dead("chaos/worker-00") && dead("chaos/shared key worker_01"));
    assert!(watched.violations.len() >= places, "{:?}", watched.violations);

    machine.run(&["apply"]).expect(&[0]);
    world.watch(&records, &layout, &[&machine]).stop().expect_clean(5);
    let text = std::fs::read_to_string(machine.path(".env")).unwrap();
    machine.write(".env", &text.replace(FOREIGN_LINES[2], "PORT=1"));
    let watched = world.watch(&records, &layout, &[&machine]).stop();
    assert!(watched.violations.iter().any(|text| text.contains("foreign")), "{watched:?}");
}
