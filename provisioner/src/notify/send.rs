//! The queue: what waits is claimed, page by page, sent and settled; what somebody did not take waits for its next try, with
//! the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use latchkey::lifetime::Seconds;
use latchkey::mutex::Mutex;
use latchkey::name::{ManifestName, UserName};
use latchkey::notice::{NoticeKind, Waiting};
use latchkey::service::Service;
use latchkey::table::TableError;
use latchkey::token::TokenKey;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::reading::Allowances;
use serde::Serialize;

use super::directory::{Directory, Line};
use super::failure::Failure;
use super::message::Message;
use super::page::{Ask, Claimed, Page};
use crate::manifest::Manifest;

/// How many notices are read and claimed at once.
const PAGE: usize = 100;
/// How long a claim keeps others from sending the same.
const CLAIM: Seconds = Seconds::minutes(5);
/// No request starts later than this after its page was claimed: with the time for an answer it ends before the claim.
const SENT_WITHIN: Duration = Duration::from_mins(4);
/// How long a turn may take: what is left waits for the next.
const TURN_WITHIN: Duration = Duration::from_mins(8);

/// What one turn sends with.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The service, whose queue it is.
    pub service: &'a Service,
    /// The manifest whose file is at hand; receivers of others are known by what they have published.
    pub at_hand: Option<&'a Manifest>,
    /// Manifests that have published, whose notices may wait for that.
    pub published: &'a [ManifestName],
    /// Which hosts may be sent to beside public ones.
    pub allowances: &'a Allowances,
    /// Set from outside to stop after the requests in flight.
    pub stop: &'a AtomicBool,
}

impl std::fmt::Debug for Post<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Post").finish_non_exhaustive()
    }
}

/// How a turn went.
#[derive(Debug, Default, Serialize)]
pub struct Sent {
    /// How many notices were taken, counted for each receiver.
    pub sent: usize,
    /// How many notices wait for their next try.
    pub waiting: usize,
    /// How many notices wait for whoever has their manifest's file, with receivers that nobody else knows or can reach.
    pub with_file: usize,
    /// Notices that are not tried again.
    pub given_up: Vec<GivenUp>,
    /// Receivers that did not take one.
    pub down: Vec<Down>,
    /// Why it ended before it was through, if the table did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke_off: Option<String>,
}

/// A notice that is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    /// The notice.
    pub id: String,
    /// What it was about.
    pub kind: NoticeKind,
    /// Which token.
    #[serde(flatten)]
    pub token: TokenKey,
    /// Who did not take it.
    pub receivers: Vec<String>,
}

/// A receiver that did not take a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Down {
    /// Its name; of a manifest's the manifest's name comes first.
    pub receiver: String,
    /// Why.
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Post<'_> {
    /// Sends what waits. A turn that began and ends by an error of the table says so in [`Sent::broke_off`] beside what it
    /// did before: what was given up is in no later turn. What was claimed is tried again when the claims are over.
    ///
    /// # Errors
    /// When the table cannot be read, and nothing was sent.
    pub fn turn(&self) -> BoxFuture<'_, Result<Sent, TableError>> {
        Box::pin(self.take_turn())
    }

    async fn take_turn(&self) -> Result<Sent, TableError> {
        let mut directory = Directory::read(self.service, self.allowances, self.at_hand).await?;
        let (sent, down) = (Mutex::default(), Mutex::default());
        let ended = self.pages(&mut directory, (&down, &sent)).await;
        let mut sent: Sent = std::mem::take(&mut *sent.lock());
        sent.down = std::mem::take(&mut *down.lock()).into_values().collect();
        sent.broke_off = ended.err().map(|error| error.to_string());
        Ok(sent)
    }

    /// Sends page by page until nothing waits or there is no more time.
    async fn pages(
        &self,
        directory: &mut Directory<'_>,
        (down, sent): (&Mutex<BTreeMap<String, Down>>, &Mutex<Sent>),
    ) -> Result<(), TableError> {
        let end = Deadline::after(TURN_WITHIN);
        while !self.is_stopped() && !end.has_passed() {
            let until = Deadline::after(SENT_WITHIN).earlier(end);
            let claimed = self.claim(directory).await?;
            if claimed.is_empty() {
                break;
            }
            Page::new(self, claimed, until, (down, sent)).deliver().await?;
        }
        Ok(())
    }

    /// Every receiver that this could send to, by its name, each with whether what it is reached with is there. Nothing is
    /// sent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn prepare(&self) -> Result<Vec<(String, Result<(), Failure>)>, TableError> {
        Directory::read(self.service, self.allowances, self.at_hand).await?.prepare().await
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Claims what waits, as far as nobody else has it.
    async fn claim(&self, directory: &mut Directory<'_>) -> Result<Vec<Claimed>, TableError> {
        let now = self.service.now();
        let until = CLAIM.after(now);
        let mut found: Vec<(Waiting, bool)> =
            self.service.notices(now, PAGE).await?.into_iter().map(|waiting| (waiting, false)).collect();
        for manifest in self.at_hand.map(|at_hand| &at_hand.name).into_iter().chain(self.published) {
            directory.learn(manifest).await?;
            if found.len() < PAGE && directory.knows_all(manifest) {
                let held = self.service.notices_with_file(manifest, now, PAGE - found.len()).await?;
                found.extend(held.into_iter().map(|waiting| (waiting, true)));
            }
        }
        let mut claimed = Vec::new();
        for (waiting, held) in found {
            if !self.service.claim_notice(&waiting, until).await? {
                continue;
            }
            if let Some(manifest) = &waiting.notice.manifest {
                directory.learn(manifest).await?;
            }
            claimed.push((Waiting { next: until, ..waiting }, held));
        }
        let owners = self.owners(directory, &claimed).await?;
        let claimed = claimed.into_iter().map(|(waiting, held)| {
            let (lines, rest) = directory.lines(waiting.notice.manifest.as_ref());
            let owner = owners.get(&waiting.notice.token.user);
            let wanting = lines.filter(|(_, line)| line.wants(waiting.notice.kind));
            let mut asks: BTreeMap<String, Ask> = wanting.flat_map(|(name, line)| asks(name, line, owner)).collect();
            // Those of the settings were asked before it was left to the manifest's own, whose names have a `/`.
            asks.retain(|whom, _| !waiting.taken.contains(whom) && (!held || whom.contains('/')));
            Claimed { message: Message::of(&waiting.notice), waiting, asks, rest }
        });
        Ok(claimed.collect())
    }

    /// Where the owners of tokens get mails, as far as some receiver sends them some.
    async fn owners(
        &self,
        directory: &Directory<'_>,
        claimed: &[(Waiting, bool)],
    ) -> Result<BTreeMap<UserName, (UserName, String)>, TableError> {
        let wanting = claimed.iter().map(|(waiting, _)| waiting).filter(|waiting| {
            let (mut lines, _) = directory.lines(waiting.notice.manifest.as_ref());
            lines.any(|(_, line)| line.wants_owner() && line.wants(waiting.notice.kind))
        });
        let users: BTreeSet<UserName> = wanting.map(|waiting| waiting.notice.token.user.clone()).collect();
        let users: Vec<UserName> = users.into_iter().collect();
        let found = match self.service.users(&users).await {
            // One record that cannot be read keeps no other's mail.
            Err(TableError::Codec(_)) => {
                let mut found = Vec::new();
                for user in &users {
                    found.extend(self.service.users(std::slice::from_ref(user)).await.unwrap_or_default());
                }
                found
            }
            read => read?,
        };
        Ok(found.into_iter().filter_map(|user| Some((user.name.clone(), (user.name, user.email?)))).collect())
    }
}

/// Whom a receiver sends a notice to: its own addresses, and the owner of the token, each by the name under which it is
/// noted who took it.
fn asks(name: &str, line: &Arc<Line>, owner: Option<&(UserName, String)>) -> impl Iterator<Item = (String, Ask)> {
    let own = line.has_own().then(|| (name.to_owned(), Ask { line: line.clone(), owner: None }));
    // No receiver's name has a `:`.
    let owner = owner
        .filter(|_| line.wants_owner())
        .map(|owner| (format!("{name}:owner"), Ask { line: line.clone(), owner: Some(owner.clone()) }));
    own.into_iter().chain(owner)
}
