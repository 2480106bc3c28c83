//! Secrets Manager goes wrong at each request in turn, once and for as long as a run tries.

use std::time::Instant;

use tests::chaos::{Layout, Machine, Records, World};
use tests::engines::Fault;

const TARGETS: &[&str] =
    &["DescribeSecret", "GetSecretValue", "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"];
/// As many as a run makes of one request.
const ATTEMPTS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Throttle,
    ServerError,
    LoseRequest,
    LoseReply,
}

impl Kind {
    fn fault(self) -> Fault {
        match self {
            Self::Throttle => Fault::Throttle,
            Self::ServerError => Fault::ServerError,
            Self::LoseRequest => Fault::LoseRequest,
            Self::LoseReply => Fault::LoseReply,
        }
    }
}

/// What goes wrong: a kind of fault at the `nth` request and so many after it.
#[derive(Debug, Clone, Copy)]
struct Case {
    target: &'static str,
    nth: usize,
    kind: Kind,
    times: usize,
}

/// A machine with a service of its own, and secrets of its own.
struct Room {
    machine: Machine,
    layout: Layout,
    records: Records,
}

impl Room {
    fn open(world: &World, name: &str) -> Self {
        let machine = world.machine(name);
        // One token to both kinds of places, one into a shared secret and a secret of its own.
        let layout = Layout { prefix: name.to_owned(), ..Layout::mixed(2, world.endpoint()) };
        world.plant(&layout);
        machine.write("tokens.toml", &layout.text());
        let records = world.records(&machine.path("latchkey.db"));
        Self { machine, layout, records }
    }

    fn highest(&self) -> u32 {
        let declared = self.layout.declared(self.machine.folder());
        declared.iter().map(|token| self.records.token(token).highest).max().unwrap()
    }
}

/// How many requests of each target an undisturbed run makes.
fn requests(world: &World, room: &Room, words: &[&str]) -> Vec<usize> {
    let before: Vec<usize> = TARGETS.iter().map(|target| world.vault().count(target)).collect();
    room.machine.run(words).expect(&[0]);
    TARGETS.iter().zip(before).map(|(target, before)| world.vault().count(target) - before).collect()
}

#[test]
fn secrets_manager_goes_wrong() {
    let started = Instant::now();
    let world = World::start();
    let room = Room::open(&world, "undisturbed");
    let rotate = ["rotate", "tokens.toml", "--all"];
    let creating = requests(&world, &room, &["apply"]);
    let rotating = requests(&world, &room, &rotate);
    let mut count = 0;
    for (counts, words, first) in [(creating, &["apply"][..], 1), (rotating, &rotate[..], 2)] {
        for (target, most) in TARGETS.iter().zip(counts) {
            for nth in 1..=most {
                for kind in [Kind::Throttle, Kind::ServerError, Kind::LoseRequest, Kind::LoseReply] {
                    // Every fault once; for as long as a run tries the one that is hardest to tell from success.
                    let times: &[usize] = if kind == Kind::LoseReply { &[1, ATTEMPTS] } else { &[1] };
                    for times in times {
                        count += 1;
                        let case = Case { target, nth, kind, times: *times };
                        one(&world, &format!("case-{count}"), case, words, first);
                    }
                }
            }
        }
    }
    println!("{count} cases, {:?}", started.elapsed());
}

fn one(world: &World, name: &str, case: Case, words: &[&str], first: u32) {
    let room = Room::open(world, name);
    if first > 1 {
        room.machine.run(&["apply"]).expect(&[0]);
    }
    let declared = room.layout.declared(room.machine.folder());
    let watcher = world.watch(&room.records, &room.layout, &[&room.machine]);
    for more in 0..case.times {
        world.vault().fail(case.target, case.nth + more, case.kind.fault());
    }
    let ended = room.machine.run(words);
    world.vault().forgive();
    ended.expect(&[0, 3]);
    let again = room.machine.run(&["apply"]);
    again.expect(&[0]);
    room.records.expect_delivered(&declared);
    // Each token stands in a place that can be read, or its write had arrived: nothing is staged twice.
    assert!(room.highest() <= first, "{case:?} made version {}\n{ended}{again}", room.highest());
    room.machine.run(&["plan", "--detailed-exitcode"]).expect(&[0]);
    watcher.stop().expect_clean(1);
}
