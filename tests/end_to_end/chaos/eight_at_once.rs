//! Many runs at once, with the lease and without it: safety rests on the announcements alone.

use tests::chaos::{Ended, Layout, Machine, Shape, World};

use super::{apply_to_the_end, settle};

const TOKENS: usize = 10;

fn at_once(machine: &Machine, count: usize, words: &[&str]) -> Vec<Ended> {
    let running: Vec<_> = (0..count).map(|_| machine.start(words)).collect();
    running.into_iter().map(tests::chaos::Running::wait).collect()
}

#[test]
fn eight_at_once() {
    let world = World::start();
    let machine = world.machine("one");
    let layout = Layout::new(Shape::Mixed, TOKENS, world.endpoint());
    world.plant(&layout);
    machine.write("tokens.toml", &layout.text());
    let declared = layout.declared(machine.folder());
    // On a file that is not there yet.
    for ended in at_once(&machine, 8, &["apply"]) {
        ended.expect(&[0, 5]);
    }
    let records = world.records(&machine.path("latchkey.db"));
    assert_eq!(records.tokens().len(), TOKENS);
    assert!(declared.iter().all(|token| records.token(token).highest == 1));
    records.expect_delivered(&declared);

    let watcher = world.watch(&records, &layout, &[&machine]);
    for ended in at_once(&machine, 8, &["rotate", "tokens.toml", "--all"]) {
        ended.expect(&[0, 3, 5]);
    }
    apply_to_the_end(&world, &machine);
    records.expect_delivered(&declared);
    settle(&world, &machine, &records, &declared);
    watcher.stop().expect_clean(200);
}

#[test]
fn three_without_lease() {
    let world = World::start();
    let machine = world.machine("one");
    let layout = Layout::new(Shape::Mixed, TOKENS, world.endpoint());
    world.plant(&layout);
    machine.write("tokens.toml", &layout.text());
    let declared = layout.declared(machine.folder());
    let heedless = machine.without_lease();
    for ended in at_once(&heedless, 3, &["apply"]) {
        ended.expect(&[0, 3]);
    }
    let records = world.records(&machine.path("latchkey.db"));
    let watcher = world.watch(&records, &layout, &[&machine]);
    apply_to_the_end(&world, &machine);
    records.expect_delivered(&declared);
    for _ in 0..10 {
        for ended in at_once(&heedless, 3, &["rotate", "tokens.toml", "--all"]) {
            ended.expect(&[0, 3]);
        }
        world.forward(25);
    }
    apply_to_the_end(&world, &machine);
    records.expect_delivered(&declared);
    settle(&world, &machine, &records, &declared);
    watcher.stop().expect_clean(1000);
}
