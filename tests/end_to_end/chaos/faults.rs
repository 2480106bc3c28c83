//! Secrets Manager goes wrong at each request in turn, once and for as long as a run tries.

use tests::chaos::{Layout, Machine, Records, Shape, World};
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
        let layout = Layout { prefix: name.to_owned(), ..Layout::new(Shape::Apart, 2, world.endpoint()) };
        world.plant(&layout);
        machine.write("tokens.toml", &layout.text());
        let records = world.records(&machine.path("latchkey.db"));
        Self { machine, layout, records }
    }

    /// The highest version of any token, 0 while there is none.
    fn highest(&self) -> u32 {
        self.records.tokens().iter().map(|token| token.highest).max().unwrap_or(0)
    }
}

/// How many requests of each target an undisturbed run makes.
fn requests(world: &World, room: &Room, words: &[&str]) -> Vec<usize> {
    let before: Vec<usize> = TARGETS.iter().map(|target| world.vault().count(target)).collect();
    room.machine.run(words).expect(&[0]);
    TARGETS.iter().zip(before).map(|(target, before)| world.vault().count(target) - before).collect()
}

const ROTATE: &[&str] = &["rotate", "tokens.toml", "--all"];

#[test]
fn the_vault_fails_while_tokens_are_made() {
    let world = World::start();
    let counts = requests(&world, &Room::open(&world, "undisturbed"), &["apply"]);
    let mut number = 0;
    for case in cases(&counts) {
        number += 1;
        one(&world, &Room::open(&world, &format!("case-{number}")), case, &["apply"]);
    }
    assert!(number >= 40, "{counts:?}");
}

#[test]
fn the_vault_fails_while_tokens_rotate() {
    let world = World::start();
    let room = Room::open(&world, "one");
    room.machine.run(&["apply"]).expect(&[0]);
    let counts = requests(&world, &room, ROTATE);
    let mut number = 0;
    for case in cases(&counts) {
        number += 1;
        // The overlap of what rotated before is over.
        world.forward(25);
        one(&world, &room, case, ROTATE);
    }
    assert!(number >= 40, "{counts:?}");
}

/// Every kind of fault at every request once; and for as long as a run tries, the one that is hardest to tell from
/// success.
fn cases(counts: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (target, most) in TARGETS.iter().zip(counts) {
        for nth in 1..=*most {
            let once = [Kind::Throttle, Kind::ServerError, Kind::LoseRequest, Kind::LoseReply];
            cases.extend(once.map(|kind| Case { target, nth, kind, times: 1 }));
            cases.push(Case { target, nth, kind: Kind::LoseReply, times: ATTEMPTS });
        }
    }
    cases
}

fn one(world: &World, room: &Room, case: Case, words: &[&str]) {
    let declared = room.layout.declared(room.machine.folder());
    let before = room.highest();
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
    // What arrived is found again. Only a secret that never left the run that staged it has to be replaced.
    let lost = case.times == ATTEMPTS && matches!(case.target, "DescribeSecret" | "GetSecretValue");
    let most = before + 1 + u32::from(lost);
    assert!(room.highest() <= most, "{case:?}: version {} after {before}\n{ended}{again}", room.highest());
    room.machine.run(&["plan", "--detailed-exitcode"]).expect(&[0]);
    watcher.stop().expect_clean(1);
}
