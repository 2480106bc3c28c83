//! All types of sinks at once, each with its engine or fake behind a stretch of network that can be made bad, and a
//! manifest whose tokens go to them.

mod consumers;
mod text;

use std::path::Path;
use std::sync::Arc;

use latchkey::place::Place;
use tokio::runtime::Runtime;

use crate::chaos::{Machine, Proxy, Random, World};
use crate::sinks::azure_key_vault::KeyVaultBench;
use crate::sinks::heroku::HerokuBench;
use crate::sinks::keyring::KeyringBench;
use crate::sinks::vercel::VercelBench;
use crate::sinks::{DotenvBench, SecretsManagerBench, ToolBench};

pub use consumers::{Consumers, Findings, Watching};
pub use text::Declared;

/// What stands beside our entries in every sink, and has to stay.
const FOREIGN: &str = "correct horse \"battery\" staple";
/// The entry that holds it.
const BESIDE: &str = "KEPT_BY_HAND";

/// One sink of the fleet.
pub struct Member {
    /// Its name in the manifest.
    pub name: &'static str,
    /// What stands behind it.
    pub bench: Arc<dyn ToolBench>,
    proxy: Option<Proxy>,
}

/// All of them.
pub struct Fleet {
    world: World,
    members: Vec<Member>,
    runtime: Runtime,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fleet").field("members", &self.names()).finish_non_exhaustive()
    }
}

impl Fleet {
    /// Starts every engine and fake, and puts a foreign entry into each.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let benches = runtime.block_on(benches());
        let members = benches.into_iter().enumerate().map(|(index, (name, bench))| {
            let proxy = bench.url().map(|url| {
                let address = url.trim_start_matches("http://").parse().expect("an address");
                Proxy::before(address, runtime.handle(), Random::seeded_for(index))
            });
            Member { name, bench, proxy }
        });
        let fleet = Self { world: World::start(), members: members.collect(), runtime };
        fleet.runtime.block_on(async {
            for member in &fleet.members {
                let place = fleet.place(member, BESIDE).await;
                member.bench.by_hand(&place, FOREIGN).await;
            }
        });
        fleet
    }

    /// The clock, and what is not a sink.
    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The names of all sinks.
    pub fn names(&self) -> Vec<&'static str> {
        self.members.iter().map(|member| member.name).collect()
    }

    /// A machine whose runs have all logins.
    pub fn machine(&self, name: &str) -> Machine {
        let environment: Vec<_> = self.members.iter().flat_map(|member| member.bench.environment()).collect();
        Machine::new(self.world.root(), name, &self.world.clock()).with_environment(&environment)
    }

    /// From now on one request in so many meets trouble, whichever server it goes to; 0 is none.
    pub fn rough(&self, one_in: usize) {
        self.members.iter().filter_map(|member| member.proxy.as_ref()).for_each(|proxy| proxy.rough(one_in));
    }

    /// Waits until every request has arrived that was sent, by whomever: one that stands still can arrive after its sender
    /// was killed, and after a run that put things right.
    pub fn calm(&self) {
        for proxy in self.members.iter().filter_map(|member| member.proxy.as_ref()) {
            self.runtime.block_on(proxy.calm());
        }
    }

    /// What the network did so far: passed, and made trouble of.
    pub fn troubles(&self) -> (usize, usize) {
        let met = self.members.iter().filter_map(|member| member.proxy.as_ref()).map(|proxy| {
            let met = proxy.met();
            let count = |of: &std::sync::atomic::AtomicUsize| of.load(std::sync::atomic::Ordering::Relaxed);
            (
                count(&met.passed),
                count(&met.refused) + count(&met.unheard) + count(&met.unanswered) + count(&met.stalled),
            )
        });
        met.fold((0, 0), |(passed, troubled), (more, worse)| (passed + more, troubled + worse))
    }

    /// Consumers of all sinks are redeployed.
    pub fn redeployed(&self) {
        self.runtime.block_on(async {
            for member in &self.members {
                member.bench.redeployed().await;
            }
        });
    }

    /// Engines that have ended by themselves are started again; how many had.
    pub fn revived(&self) -> usize {
        self.runtime.block_on(async {
            let mut revived = 0;
            for member in &self.members {
                revived += usize::from(member.bench.revived().await);
            }
            revived
        })
    }

    /// Somebody puts a value where the token's secret should be.
    pub fn by_hand(&self, sink: &str, token: &Declared, value: &str) {
        let member = self.member(sink);
        self.runtime.block_on(async {
            let place = self.place(member, &token.entry).await;
            member.bench.by_hand(&place, value).await;
        });
    }

    /// Somebody removes a token's entry.
    pub fn removed_by_hand(&self, sink: &str, token: &Declared) {
        let member = self.member(sink);
        self.runtime.block_on(async {
            let place = self.place(member, &token.entry).await;
            member.bench.removed_by_hand(&place).await;
        });
    }

    /// What a consumer of a token reads in a sink.
    pub fn value(&self, sink: &str, token: &Declared) -> Option<String> {
        let member = self.member(sink);
        self.runtime.block_on(async {
            let place = self.place(member, &token.entry).await;
            member.bench.value(&place).await
        })
    }

    /// Everybody who reads the places of these tokens, with the service's records on a file.
    pub fn consumers(&self, file: &Path, tokens: &[Declared]) -> Consumers {
        let mut places = Vec::new();
        let mut beside = Vec::new();
        self.runtime.block_on(async {
            for member in &self.members {
                beside.push((member.bench.clone(), self.place(member, BESIDE).await));
                for token in tokens.iter().filter(|token| token.sinks.contains(&member.name)) {
                    places.push((member.bench.clone(), self.place(member, &token.entry).await, token.clone()));
                }
            }
        });
        Consumers::new(self.world.records(file), places, beside)
    }

    fn member(&self, sink: &str) -> &Member {
        self.members.iter().find(|member| member.name == sink).expect("a sink of the fleet")
    }

    async fn place(&self, member: &Member, entry: &str) -> Place {
        member.bench.sink().place(&member.bench.push(entry)).await.expect("a place")
    }
}

/// The types, by the names that the manifest gives them.
async fn benches() -> Vec<(&'static str, Arc<dyn ToolBench>)> {
    let mut benches: Vec<(&'static str, Arc<dyn ToolBench>)> = vec![
        ("dev", Arc::new(DotenvBench::default())),
        ("vault", Arc::new(SecretsManagerBench::plain().await)),
        ("web", Arc::new(VercelBench::start().await)),
        ("worker", Arc::new(HerokuBench::start().await)),
        ("azure", Arc::new(KeyVaultBench::start().await)),
    ];
    // Where its programs are not installed, that is printed.
    if let Some(keyring) = KeyringBench::start() {
        benches.push(("keys", Arc::new(keyring)));
    }
    benches
}
