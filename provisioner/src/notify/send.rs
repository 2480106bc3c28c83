//! The queue: what waits is claimed, sent to whoever wants it and has not taken it yet, and settled. A receiver that fails
//! is not asked again in the same turn and delays no other; the notice waits for its next try, with the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use latchkey::lifetime::Seconds;
use latchkey::mutex::Mutex;
use latchkey::name::UserName;
use latchkey::notice::{NoticeKind, Waiting};
use latchkey::service::Service;
use latchkey::table::TableError;
use latchkey::token::TokenKey;
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::reading::Allowances;
use serde::Serialize;

use super::directory::{Directory, Line};
use super::message::Message;
use super::sender::Taken;
use crate::manifest::Manifest;

/// How many notices are read and claimed at once.
const PAGE: usize = 100;
/// How long a claim keeps others from sending the same.
const CLAIM: Seconds = Seconds::minutes(5);
/// No request starts later than this after its page was claimed: with the time for an answer it ends before the claim.
const SENT_WITHIN: Duration = Duration::from_mins(4);
/// How long a turn may take: what is left waits for the next.
const TURN_WITHIN: Duration = Duration::from_mins(8);
/// How many receivers are sent to at once.
const SIDE_BY_SIDE: usize = 8;
/// When a notice is looked at again that waits only for whoever has its manifest's file.
const ELSEWHERE: Seconds = Seconds::hours(6);

/// What one turn sends with.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The service, whose queue it is.
    pub service: &'a Service,
    /// The manifest whose file is at hand; receivers of others are known by what they have published.
    pub at_hand: Option<&'a Manifest>,
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
    /// Notices that are not tried again.
    pub given_up: Vec<GivenUp>,
    /// Receivers that did not take one.
    pub down: Vec<Down>,
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

/// A claimed notice, and who is to get it.
struct Claimed {
    waiting: Waiting,
    message: Message,
    /// Who has not taken it yet.
    missing: BTreeSet<String>,
    /// Who has taken it now.
    taken: BTreeSet<String>,
    /// Whether all who want it are known here.
    whole: bool,
}

/// What all lanes of a page share.
struct Page<'a> {
    claimed: &'a [Claimed],
    owners: &'a BTreeMap<UserName, String>,
    until: Deadline,
    /// The receivers that failed in this turn.
    down: &'a Mutex<BTreeMap<String, Down>>,
}

impl Post<'_> {
    /// Sends what waits.
    ///
    /// # Errors
    /// When the table cannot be read or written. What was claimed is tried again when the claims are over.
    pub async fn turn(&self) -> Result<Sent, TableError> {
        let mut directory = Directory::read(self.service, self.allowances, self.at_hand).await?;
        let (mut sent, down) = (Sent::default(), Mutex::default());
        let end = Deadline::after(TURN_WITHIN);
        while !self.is_stopped() && !end.has_passed() {
            let until = Deadline::after(SENT_WITHIN).earlier(end);
            let mut claimed = self.claim(&mut directory).await?;
            if claimed.is_empty() {
                break;
            }
            let owners = self.owners(&directory, &claimed).await?;
            let page = Page { claimed: &claimed, owners: &owners, until, down: &down };
            for (at, receiver) in self.send(&directory, &page).await {
                claimed[at].missing.remove(&receiver);
                claimed[at].taken.insert(receiver);
            }
            for claimed in claimed {
                self.settle(claimed, &mut sent).await?;
            }
        }
        sent.down = std::mem::take(&mut *down.lock()).into_values().collect();
        Ok(sent)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Claims what waits, as far as nobody else has it.
    async fn claim(&self, directory: &mut Directory<'_>) -> Result<Vec<Claimed>, TableError> {
        let now = self.service.now();
        let until = CLAIM.after(now);
        let mut claimed = Vec::new();
        for waiting in self.service.notices(now, PAGE).await? {
            if !self.service.claim_notice(&waiting, until).await? {
                continue;
            }
            let manifest = waiting.notice.manifest.clone();
            if let Some(manifest) = &manifest {
                directory.learn(manifest).await?;
            }
            let (lines, whole) = directory.lines(manifest.as_ref());
            let wanting =
                lines.filter(|(name, line)| line.wants(waiting.notice.kind) && !waiting.taken.contains(*name));
            let missing = wanting.map(|(name, _)| name.clone()).collect();
            let message = Message::of(&waiting.notice);
            let waiting = Waiting { next: until, ..waiting };
            claimed.push(Claimed { waiting, message, missing, taken: BTreeSet::new(), whole });
        }
        Ok(claimed)
    }

    /// Where the owners of tokens get mails, as far as some receiver wants to know.
    async fn owners(
        &self,
        directory: &Directory<'_>,
        claimed: &[Claimed],
    ) -> Result<BTreeMap<UserName, String>, TableError> {
        let wanting = claimed.iter().filter(|claimed| {
            let (mut lines, _) = directory.lines(claimed.waiting.notice.manifest.as_ref());
            lines.any(|(name, line)| line.wants_owner() && claimed.missing.contains(name))
        });
        let users: BTreeSet<UserName> = wanting.map(|claimed| claimed.waiting.notice.token.user.clone()).collect();
        let users = self.service.users(&users.into_iter().collect::<Vec<_>>()).await?;
        Ok(users.into_iter().filter_map(|user| Some((user.name, user.email?))).collect())
    }

    /// Sends a page: receivers side by side, each its notices one after another. Answers which were taken by whom.
    async fn send(&self, directory: &Directory<'_>, page: &Page<'_>) -> Vec<(usize, String)> {
        let mut lanes: BTreeMap<String, (Arc<Line>, Vec<usize>)> = BTreeMap::new();
        for (at, claimed) in page.claimed.iter().enumerate() {
            let (lines, _) = directory.lines(claimed.waiting.notice.manifest.as_ref());
            for (name, line) in lines.filter(|(name, _)| claimed.missing.contains(*name)) {
                lanes.entry(name.clone()).or_insert_with(|| (line.clone(), Vec::new())).1.push(at);
            }
        }
        let lanes = lanes.into_iter().map(|(name, (line, notices))| async move {
            let taken = self.lane((&name, &line), &notices, page).await;
            taken.into_iter().map(|at| (at, name.clone())).collect::<Vec<_>>()
        });
        stream::iter(lanes).buffer_unordered(SIDE_BY_SIDE).concat().await
    }

    /// Sends notices to one receiver until it fails; answers which it took.
    async fn lane(&self, (name, line): (&str, &Line), notices: &[usize], page: &Page<'_>) -> Vec<usize> {
        let mut taken = Vec::new();
        for at in notices {
            let is_down = page.down.lock().contains_key(name);
            if is_down || self.is_stopped() || page.until.has_passed() {
                break;
            }
            let claimed = &page.claimed[*at];
            let owner = page.owners.get(&claimed.waiting.notice.token.user).map(String::as_str);
            match line.send(&claimed.message, owner, self.service.now()).await {
                Ok(Taken::Now | Taken::NobodyAddressed) => taken.push(*at),
                Err(failure) => {
                    let hint = failure.hint().map(str::to_owned);
                    let down = Down { receiver: name.to_owned(), reason: failure.to_string(), hint };
                    page.down.lock().insert(name.to_owned(), down);
                }
            }
        }
        taken
    }

    /// Notes who took a notice, and when it is tried again.
    async fn settle(&self, claimed: Claimed, sent: &mut Sent) -> Result<(), TableError> {
        let Claimed { waiting, missing, taken, whole, .. } = claimed;
        sent.sent += taken.len();
        let now = self.service.now();
        let next = match (missing.is_empty(), whole) {
            (true, true) => None,
            (true, false) => waiting.next_try(now).map(|next| next.max(ELSEWHERE.after(now))),
            (false, _) => waiting.next_try(now),
        };
        self.service.settle_notice(&waiting, &taken, next).await?;
        match (missing.is_empty(), next) {
            (true, _) => {}
            (false, Some(_)) => sent.waiting += 1,
            (false, None) => sent.given_up.push(GivenUp {
                id: waiting.notice.id,
                kind: waiting.notice.kind,
                token: waiting.notice.token,
                receivers: missing.into_iter().collect(),
            }),
        }
        Ok(())
    }
}
