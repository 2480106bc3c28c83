//! The scheduled job in this process: the table's requests are counted, the vault is a real one, and the test decides the
//! time and when a turn has to stop.

mod cut;
mod older;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey::service::{DUE_RULES, Edit, Grant, Life, NewToken, UserChange};
use latchkey_sinks::aws_secrets_manager::{AwsSecretsManager, Settings};
use latchkey_sinks::reading::Allowances;
use latchkey_sinks::{PushDeclaration, Sink, SinkError, SinkSet};
use provisioner::apply::{Run, Silent, apply};
use provisioner::job::{Job, Report};
use provisioner::manifest::{Manifest, parse};
use provisioner::observe::observe;
use provisioner::plan::{Labels, Options, plan};
use provisioner::publication::{Publication, publish};
use provisioner::service::Client;
use tests::engine::Engine;
use tests::engines::{Fault, StrictSecretsManager};
use tests::sinks::Nap;
use tests::world::{TERMS, World};

use crate::service::notices::told;

const REGION: &str = "eu-west-1";

/// The one vault of everything.
struct Vault(Arc<AwsSecretsManager>);

#[async_trait]
impl SinkSet for Vault {
    fn machine(&self) -> &'static str {
        "here"
    }

    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        self.0.place(&push.name, push.json_key.as_deref()).await
    }

    async fn reach(&self, _: &Place) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(self.0.clone())
    }
}

/// A service in whose settings notices are on, a vault, and the job's stop.
struct Scene {
    world: World,
    manager: StrictSecretsManager,
    vault: Arc<AwsSecretsManager>,
    client: Client,
    stop: Arc<AtomicBool>,
}

/// One turn of the job: what it reports, and how many requests the table got.
#[derive(Debug)]
struct Turned {
    report: Report,
    calls: u64,
}

impl Scene {
    async fn new() -> Self {
        let (world, manager) = (told(Engine::Dynoxide).await, StrictSecretsManager::start().await);
        let settings =
            Settings { region: Some(REGION.to_owned()), endpoint: Some(manager.url()), ..Settings::default() };
        let login = Credentials::new("key", "login", None, None, "tests");
        let vault = Arc::new(AwsSecretsManager::with_credentials(settings, login).with_sleep(Nap));
        let client = Client::operator_of(world.service.clone(), "job");
        Self { world, manager, vault, client, stop: Arc::default() }
    }

    /// Applies a manifest, as whoever has the file.
    async fn apply(&self, text: &str) -> Manifest {
        let (manifest, _) = parse(Path::new("tokens.toml"), Path::new("/"), text, &Allowances::default()).unwrap();
        let (options, labels, sinks) =
            (Options::default(), Labels::new(&manifest.folder, "here"), Vault(self.vault.clone()));
        let client = self.client.protocol();
        let observation = observe(client, &sinks, &manifest).await.unwrap();
        let plan = plan(&manifest, &observation, &options);
        let (manifest, sinks) = (&manifest, &sinks);
        let run = Run {
            client,
            sinks,
            manifest,
            options: &options,
            labels: &labels,
            reporter: &Silent,
            stop: &AtomicBool::new(false),
        };
        let outcome = apply(&run, &plan, &observation).await.unwrap();
        assert_eq!(outcome.failures, []);
        manifest.clone()
    }

    /// Publishes it, and grants it its entries.
    async fn publish(&self, manifest: &Manifest) {
        publish(self.client.publishing(), &manifest.name, (None, false), &Publication::of(manifest)).await.unwrap();
        let entry = self.vault.place("x", None).await.unwrap().entry();
        let entry = format!("{}*", entry.strip_suffix('x').unwrap()).parse().unwrap();
        let grant = Grant { entries: [entry].into(), ..Grant::default() };
        self.world.service.set_grant(&self.world.admin, &manifest.name, &grant).await.unwrap();
    }

    /// The next turn stops when it comes to its nth write.
    fn cut_at(&self, nth: usize) {
        let stop = self.stop.clone();
        self.manager.fail(
            "PutSecretValue",
            nth,
            Fault::meanwhile(|| async move { stop.store(true, Ordering::Relaxed) }),
        );
    }

    async fn turn(&self) -> Turned {
        let before = self.world.store.table.counted();
        let vault = self.vault.clone();
        let job = Job {
            client: &self.client,
            holder: "job",
            reach: &move |_: &Manifest| -> Box<dyn SinkSet> { Box::new(Vault(vault.clone())) },
            reporter: &Silent,
            stop: &self.stop,
            drift: 0,
            allowances: &Allowances::default(),
        };
        let report = job.turn().await.unwrap();
        self.manager.forgive();
        self.stop.store(false, Ordering::Relaxed);
        Turned { report, calls: self.world.store.table.counted().since(before).calls }
    }
}

/// How many of these events there are.
async fn events(scene: &Scene, action: &str) -> usize {
    let items = scene.world.items().await;
    items.iter().filter(|item| latchkey::table::item::text(item, "action") == Some(action)).count()
}

/// A manifest of so many tokens, which are due after 30 days.
fn manifest(of: &str, tokens: usize) -> String {
    let head = format!(
        "manifest = \"{of}\"\n[defaults]\nuser = \"{of}\"\nexpires_in = \"90d\"\nrotate_every = \"30d\"\n\
         overlap = \"24h\"\n[users.{of}]\nkind = \"service\"\nmax_tokens = {}\n[sinks.vault]\n\
         type = \"aws-secrets-manager\"\nregion = \"{REGION}\"\n",
        tokens.max(10)
    );
    let token =
        |number| format!("[tokens.token-{number}]\npush = [{{ sink = \"vault\", name = \"{of}/{number}\" }}]\n");
    (0..tokens).fold(head, |text, number| text + &token(number))
}
