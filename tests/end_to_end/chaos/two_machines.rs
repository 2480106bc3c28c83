//! One service and one manifest on two machines, each with a `.env` file that the other cannot see.

use tests::chaos::{Layout, Machine, Shape, World};

const OUT_OF_SIGHT: &str = "it is on another machine";

struct Pair {
    world: World,
    a: Machine,
    b: Machine,
    address: String,
}

impl Pair {
    fn start(layout: impl FnOnce(&World) -> Layout) -> (Self, Layout) {
        let world = World::start();
        let layout = layout(&world);
        let (a, b) = (world.machine("a"), world.machine("b"));
        for machine in [&a, &b] {
            machine.write("tokens.toml", &layout.text());
        }
        let address = format!("embedded:{}", world.root().join("service.db").display());
        (Self { world, a, b, address }, layout)
    }

    fn run(&self, machine: &Machine, words: &[&str]) -> tests::chaos::Ended {
        let mut words = words.to_vec();
        words.extend(["--service", &self.address]);
        machine.run(&words)
    }
}

#[test]
fn two_machines() {
    let (pair, layout) = Pair::start(|world| Layout::new(Shape::Both, 2, world.endpoint()));
    let Pair { world, a, b, .. } = &pair;
    world.plant(&layout);
    let records = world.records(&world.root().join("service.db"));
    let watcher = world.watch(&records, &layout, &[a, b]);
    let (on_a, on_b) = (layout.declared(a.folder()), layout.declared(b.folder()));
    let versions = || on_a.iter().map(|token| records.token(token).highest).collect::<Vec<_>>();

    pair.run(a, &["apply"]).expect(&[0]);
    // What B lacks comes out of the vault: no new version.
    pair.run(b, &["apply"]).expect(&[0]).expect_words("push to `.env WORKER_00_TOKEN`");
    for _ in 0..2 {
        for machine in [a, b] {
            pair.run(machine, &["apply"]).expect(&[0]).expect_words("No changes: 2 tokens of `chaos` as declared");
            pair.run(machine, &["plan", "--detailed-exitcode"]).expect(&[0]);
        }
    }
    assert_eq!(versions(), [1, 1]);
    records.expect_delivered(&on_a);
    records.expect_delivered(&on_b);

    // Whoever rotates cannot see what the other's file contains.
    for (machine, other) in [(a, "b"), (b, "a")] {
        let blocked = pair.run(machine, &["rotate", "tokens.toml", "--all"]);
        blocked.expect(&[1]).expect_words(OUT_OF_SIGHT);
        blocked.expect_words(&format!("{other}/.env WORKER_00_TOKEN on {other}`"));
        blocked.expect_words("--forget").expect_words("Plan: 2 blocked");
    }
    assert_eq!(versions(), [1, 1]);

    // B's file is gone for good, says its owner; A continues alone, once no write can arrive there any more.
    let blocked = pair.run(a, &["rotate", "tokens.toml", "--all"]);
    let forget = places_to_forget(&blocked.stdout);
    assert_eq!(forget.len(), 2, "{blocked}");
    let forgetting: Vec<&str> = forget.iter().flat_map(|place| ["--forget", place]).collect();
    let early = pair.run(a, &[&["apply"], &forgetting[..]].concat());
    early.expect(&[3]).expect_words("on b` yet, as an announced write may still arrive there");
    world.forward(1);
    let rotated = pair.run(a, &[&["rotate", "tokens.toml", "--all"], &forgetting[..]].concat());
    rotated.expect(&[0]).expect_words("b/.env WORKER_00_TOKEN on b`, as requested; its entry stays");
    assert_eq!(versions(), [2, 2]);
    records.expect_delivered(&on_a);
    // It was not gone: within the overlap B's secret is still valid, and B gets what is current as soon as it applies again.
    for spot in on_b.iter().flat_map(|token| &token.spots) {
        records.version_in(spot).unwrap();
    }
    pair.run(b, &["apply"]).expect(&[0]);
    records.expect_delivered(&on_b);
    records.expect_delivered(&on_a);
    watcher.stop().expect_clean(100);
}

/// The ids that a blocked run names.
fn places_to_forget(text: &str) -> Vec<String> {
    let mut places: Vec<String> = text
        .split("--forget ")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect())
        .collect();
    places.sort();
    places.dedup();
    places
}

#[test]
fn two_machines_without_a_vault() {
    let (pair, layout) = Pair::start(|_| Layout::file(2));
    let Pair { world, a, b, .. } = &pair;
    let records = world.records(&world.root().join("service.db"));
    let watcher = world.watch(&records, &layout, &[a, b]);
    pair.run(a, &["apply"]).expect(&[0]);
    // Nobody can hand B the current secret, and a new version would leave A behind.
    let blocked = pair.run(b, &["apply"]);
    blocked.expect(&[1]).expect_words("a/.env WORKER_00_TOKEN on a`: ").expect_words(OUT_OF_SIGHT);
    // Nor does B stand in A's way, as nothing ever came to it.
    pair.run(a, &["apply"]).expect(&[0]).expect_words("No changes");
    let declared = layout.declared(a.folder());
    records.expect_delivered(&declared);
    assert!(declared.iter().all(|token| records.token(token).highest == 1));
    pair.run(a, &["rotate", "tokens.toml", "--all"]).expect(&[0]);
    records.expect_delivered(&declared);
    watcher.stop().expect_clean(20);
}
