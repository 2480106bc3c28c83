//! Notices on their way out: to a real receiver on loopback, to moto's SES and EventBridge, over weeks, and with trouble.

mod aws;
mod command;
mod days;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latchkey::policy::{Notices, Policy};
use latchkey::service::Caller;
use latchkey_sinks::reading::Allowances;
use provisioner::notify::{Post, Sent, setting, tell_due};
use tempfile::TempDir;
use tests::receiver::Receiver;
use tests::world::World;

/// A signing secret, and 24 more bytes that no notice may contain.
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A service with receivers in its settings, and whoever receives.
struct Told {
    world: World,
    receiver: Receiver,
    files: TempDir,
    allowances: Allowances,
}

impl Told {
    /// Without a receiver in the settings yet, and notices on.
    async fn start() -> Self {
        let mut world = World::new().await;
        let notices = Notices { on: true, receivers: BTreeMap::new() };
        world.another(8).await.set_policy(Policy { notices, ..Policy::default() }).await.unwrap();
        world.service = Arc::new(world.another(1).await);
        let receiver = Receiver::with(world.clock.clone(), "ok").await;
        let allowances = Allowances { hosts: vec!["127.0.0.1".to_owned()], ..Allowances::default() };
        Self { world, receiver, files: TempDir::new().unwrap(), allowances }
    }

    /// A file that contains a text.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
        path
    }

    /// The table of a webhook that leads to a path of the receiver.
    fn webhook(&self, path: &str, more: &str) -> String {
        let url = self.file(&format!("url{}", path.replace('/', "-")), &self.receiver.url(path));
        let secret = self.file("secret", SIGNING);
        format!(
            "type = \"webhook\"\nurl = {{ file = \"{}\" }}\nsecret = {{ file = \"{}\" }}\n{more}",
            url.display(),
            secret.display()
        )
    }

    /// The table of a webhook of Slack's form.
    fn slack(&self, path: &str, more: &str) -> String {
        let url = self.file(&format!("url{}", path.replace('/', "-")), &self.receiver.url(path));
        format!("type = \"slack\"\nurl = {{ file = \"{}\" }}\n{more}", url.display())
    }

    /// Sets a receiver in the settings.
    async fn set(&self, name: &str, table: &str) {
        let setting =
            setting(name, table, &self.allowances).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        let mut service = self.world.another(8).await;
        let mut policy = service.policy().as_ref().clone();
        policy.notices.set(name, &setting.text).unwrap();
        service.set_policy(policy).await.unwrap();
    }

    /// One turn, as a process of its own.
    async fn job(&self, seed: u64) -> Sent {
        let service = self.world.another(seed).await;
        let caller = Caller::operator("job");
        tell_due((&service, &caller), &[]).await.unwrap();
        let stop = AtomicBool::new(false);
        let post = Post { service: &service, at_hand: None, published: &[], allowances: &self.allowances, stop: &stop };
        post.turn().await.unwrap()
    }
}
