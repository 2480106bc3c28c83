//! The lease that a server keeps.

use super::Remote;

#[tokio::test]
async fn a_lease_of_another_run_is_waited_for_then_exits_5_and_can_be_stolen() {
    let remote = Remote::start();
    let service = remote.world.service("latchkey.db").await;
    let (operator, acme) = (latchkey::service::Caller::operator("elsewhere"), "acme".parse().unwrap());
    service.take_lease(&operator, &acme, "another-run", false).await.unwrap();
    let held = remote.run("apply --wait 1").exits(5);
    assert!(held.stderr.contains("`operator:elsewhere`") && held.stderr.contains("--steal"), "{}", held.stderr);
    assert!(!remote.world.path(".env").exists(), "nothing was changed");
    let shown = remote.run("manifest show acme").exits(0);
    assert!(shown.stdout.contains("by operator:elsewhere until"), "{}", shown.stdout);
    // A plan asks for no lease.
    remote.run("plan").exits(0);
    remote.run("apply --wait 0 --steal").exits(0);
    // A run that ended gives its lease back.
    remote.run("apply --wait 0").exits(0);
    service.take_lease(&operator, &acme, "another-run", false).await.unwrap();
    // One that died frees it by time.
    remote.world.clock(61);
    remote.run("apply --wait 0").exits(0);
}

#[test]
fn on_an_embedded_table_there_is_nothing_to_steal() {
    let remote = Remote::start();
    let refused = remote.world.run("apply --steal --service embedded:latchkey.db").exits(1);
    assert!(refused.stderr.contains("released when the process that holds it exits"), "{}", refused.stderr);
}
