//! What the protocol promises when runs of the real command are killed, doubled, cut off from their sinks, or made on
//! two machines in turn.

mod eight_at_once;
mod faults;
mod fleet;
mod kill_nine;
mod two_machines;
mod watching;

use tests::chaos::{DeclaredToken, Ended, Machine, Records, World};

/// What a run says of a token that has as many working versions as it may have.
const AT_THE_LIMIT: &str = "versions of it work already";

/// Runs a plain `apply` until it is done. A token may be at the limit of live versions: then it goes on once their
/// overlap is over.
fn apply_to_the_end(world: &World, machine: &Machine) -> Ended {
    let ended = machine.run(&["apply"]);
    if ended.code != Some(3) {
        ended.expect(&[0]);
        return ended;
    }
    ended.expect_words(AT_THE_LIMIT);
    world.forward(25);
    let ended = machine.run(&["apply"]);
    ended.expect(&[0]);
    ended
}

/// Lets overlaps pass until nothing is left to do: all places on one current version, all older ones retired.
fn settle(world: &World, machine: &Machine, records: &Records, declared: &[DeclaredToken]) {
    machine.run(&["rotate", "tokens.toml", "--all"]).expect(&[0, 3]);
    for _ in 0..6 {
        world.forward(25);
        machine.run(&["apply"]).expect(&[0]);
        let plan = machine.run(&["plan", "--detailed-exitcode"]);
        plan.expect(&[0, 2]);
        let settled = declared.iter().all(|token| records.live(&records.token(token)) == 1);
        if plan.code == Some(0) && settled {
            records.expect_delivered(declared);
            return;
        }
    }
    panic!("not settled: {}", machine.run(&["status"]));
}
