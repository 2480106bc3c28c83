//! A place that somebody changes again after each repair.

use tests::provision::{DAY, HOUR};

use super::applied;

#[test]
fn a_place_that_is_changed_after_each_repair_is_counted_and_keeps_no_stolen_version_valid() {
    let world = applied();
    let stolen = world.entry(".env", "BUILD_TOKEN");
    world.run("rotate --all").exits(0);
    world.clock(2 * DAY);
    for times in 1..=3_i64 {
        let ours = world.entry(".env", "BUILD_TOKEN");
        world.write(".env", &world.read(".env").replace(&ours, "somebody-elses-value"));
        let plan = world.run("plan").exits(0).stdout;
        let counted = format!("was changed outside Latchkey {times} times since ");
        assert_eq!(plan.contains(&counted), times > 1, "{plan}");
        let status = world.run("status").exits(0).stdout;
        assert_eq!(status.contains(&counted), times > 1, "{status}");
        world.run("apply").exits(0);
        assert!(world.is_valid(&world.entry(".env", "BUILD_TOKEN")));
        world.clock(2 * DAY + times * HOUR);
    }
    assert!(!world.is_valid(&stolen), "its overlap is long over");
    assert!(world.run("status").exits(0).stdout.contains("all in sync"));
}
