//! A page of the queue: each notice goes to whoever wants it and has not taken it yet, receivers side by side, and is settled
//! as soon as nobody else is to be asked. A receiver that fails is not asked again in the same turn and delays no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt as _};
use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::mutex::Mutex;
use latchkey::name::UserName;
use latchkey::notice::{Next, TRIED_FOR, Waiting};
use latchkey::table::TableError;
use latchkey_sinks::deadline::Deadline;

use super::directory::{Line, Rest};
use super::email::To;
use super::message::Message;
use super::send::{Down, GivenUp, Post, Sent};

/// How many receivers are sent to at once, and how many notices settled.
const SIDE_BY_SIDE: usize = 8;
/// When a notice is looked at again of which somebody was not asked, or whose receivers are the job's to ask.
const SOON: Seconds = Seconds::minutes(5);

/// A claimed notice, and who is to get it.
pub(super) struct Claimed {
    pub(super) waiting: Waiting,
    pub(super) message: Message,
    /// Who wants it and has not taken it yet, by the name under which that is noted.
    pub(super) asks: BTreeMap<String, Ask>,
    /// Who else may want it.
    pub(super) rest: Rest,
}

/// Whom a notice is sent to, and how.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) line: Arc<Line>,
    /// The owner of the token, and where they get mails, where this is their mail.
    pub(super) owner: Option<(UserName, String)>,
}

/// How asking went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Taken,
    /// It failed, now or at another notice of this turn.
    Failed,
    /// There was no time for it.
    Left,
}

/// How far a notice is.
#[derive(Default)]
struct Progress {
    left: usize,
    taken: BTreeSet<String>,
    failed: BTreeSet<String>,
    not_asked: bool,
}

/// What one receiver is sent, one after another. Each owner is one by themselves: an address that is refused keeps nobody
/// else's mail.
struct Lane {
    whom: String,
    ask: Ask,
    notices: Vec<usize>,
}

impl Lane {
    /// What it is called where it fails.
    fn name(&self) -> String {
        match &self.ask.owner {
            Some((user, _)) => format!("{} to {user}", self.whom),
            None => self.whom.clone(),
        }
    }
}

/// A page on its way.
pub(super) struct Page<'a> {
    post: &'a Post<'a>,
    claimed: Vec<Claimed>,
    progress: Vec<Mutex<Progress>>,
    /// No request starts later.
    until: Deadline,
    /// The receivers that failed in this turn.
    down: &'a Mutex<BTreeMap<String, Down>>,
    sent: &'a Mutex<Sent>,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        post: &'a Post<'a>,
        claimed: Vec<Claimed>,
        until: Deadline,
        (down, sent): (&'a Mutex<BTreeMap<String, Down>>, &'a Mutex<Sent>),
    ) -> Self {
        let progress = claimed.iter().map(|claimed| Progress { left: claimed.asks.len(), ..Progress::default() });
        Self { post, progress: progress.map(Mutex::new).collect(), claimed, until, down, sent }
    }

    /// Sends and settles it.
    ///
    /// # Errors
    /// When one could not be settled; the others were all the same.
    pub(super) async fn deliver(&self) -> Result<(), TableError> {
        let failed: Mutex<Option<TableError>> = Mutex::default();
        let settle = async |at: usize| {
            if let Err(error) = self.settle(at).await {
                failed.lock().get_or_insert(error);
            }
        };
        let unasked = (0..self.claimed.len()).filter(|at| self.claimed[*at].asks.is_empty());
        stream::iter(unasked).for_each_concurrent(SIDE_BY_SIDE, settle).await;
        let lanes = stream::iter(self.lanes()).map(|lane| Box::pin(self.lane(lane))).flatten_unordered(SIDE_BY_SIDE);
        let note = async |(at, whom, asked): (usize, String, Asked)| {
            if self.note(at, whom, asked) {
                settle(at).await;
            }
        };
        lanes.for_each_concurrent(SIDE_BY_SIDE, note).await;
        let failed = failed.lock().take();
        failed.map_or(Ok(()), Err)
    }

    fn lanes(&self) -> Vec<Lane> {
        let mut lanes: BTreeMap<(&String, Option<&UserName>), Lane> = BTreeMap::new();
        for (at, claimed) in self.claimed.iter().enumerate() {
            for (whom, ask) in &claimed.asks {
                let owner = ask.owner.as_ref().map(|(user, _)| user);
                let new = || Lane { whom: whom.clone(), ask: ask.clone(), notices: Vec::new() };
                lanes.entry((whom, owner)).or_insert_with(new).notices.push(at);
            }
        }
        lanes.into_values().collect()
    }

    /// Sends notices to one receiver until it fails.
    fn lane(&self, lane: Lane) -> impl Stream<Item = (usize, String, Asked)> {
        stream::unfold((lane, 0), move |(lane, next)| async move {
            let at = *lane.notices.get(next)?;
            let asked = self.ask(&lane, at).await;
            let whom = lane.whom.clone();
            Some(((at, whom, asked), (lane, next + 1)))
        })
    }

    async fn ask(&self, lane: &Lane, at: usize) -> Asked {
        let name = lane.name();
        if self.down.lock().contains_key(&name) {
            return Asked::Failed;
        }
        if self.post.is_stopped() || self.until.has_passed() {
            return Asked::Left;
        }
        let to = lane.ask.owner.as_ref().map_or(To::Own, |(_, address)| To::Owner(address));
        match lane.ask.line.send(&self.claimed[at].message, to, self.post.service.now()).await {
            Ok(_) => Asked::Taken,
            Err(failure) => {
                let hint = failure.hint().map(str::to_owned);
                let down = Down { receiver: name.clone(), reason: failure.to_string(), hint };
                self.down.lock().insert(name, down);
                Asked::Failed
            }
        }
    }

    /// Notes how asking went; whether nobody else is to be asked.
    fn note(&self, at: usize, whom: String, asked: Asked) -> bool {
        let mut progress = self.progress[at].lock();
        progress.left -= 1;
        match asked {
            Asked::Taken => drop(progress.taken.insert(whom)),
            Asked::Failed => drop(progress.failed.insert(whom)),
            Asked::Left => progress.not_asked = true,
        }
        progress.left == 0
    }

    /// Notes who took a notice, and what comes of it.
    async fn settle(&self, at: usize) -> Result<(), TableError> {
        let progress = std::mem::take(&mut *self.progress[at].lock());
        let Claimed { waiting, rest, .. } = &self.claimed[at];
        let (next, given_up) = after(waiting, *rest, &progress, self.post.service.now());
        let has_failed = !progress.failed.is_empty();
        self.post.service.settle_notice(waiting, (&progress.taken, has_failed), &next).await?;
        let mut sent = self.sent.lock();
        sent.sent += progress.taken.len();
        if given_up {
            let notice = &waiting.notice;
            sent.given_up.push(GivenUp {
                id: notice.id.clone(),
                kind: notice.kind,
                token: notice.token.clone(),
                receivers: progress.failed.into_iter().collect(),
            });
        } else if progress.not_asked || !progress.failed.is_empty() {
            sent.waiting += 1;
        }
        if matches!(next, Next::WithFile(_)) {
            sent.with_file += 1;
        }
        Ok(())
    }
}

/// What comes of a notice, and whether whoever failed is asked no more. Nobody is given up for whom there was no
/// time; who failed at another notice of the turn counts as asked.
fn after(waiting: &Waiting, rest: Rest, progress: &Progress, now: Timestamp) -> (Next, bool) {
    let soon = Next::At(SOON.after(now));
    let failed = !progress.failed.is_empty();
    match waiting.next_try(now) {
        Some(next) if failed => return (Next::At(next), false),
        _ if progress.not_asked => return (soon, false),
        _ => {}
    }
    let with_file = || waiting.notice.manifest.clone().map_or(Next::Done, Next::WithFile);
    let next = match rest {
        Rest::Nobody => Next::Done,
        Rest::WithFile => with_file(),
        // No job has come for a week: whoever has the file may.
        Rest::WithJob if now >= TRIED_FOR.after(waiting.notice.at) => with_file(),
        Rest::WithJob => soon,
    };
    (next, failed)
}

#[cfg(test)]
mod tests {
    use latchkey::notice::NoticeKind;

    use super::super::text::tests::notice;
    use super::*;

    fn progress(failed: bool, not_asked: bool) -> Progress {
        let failed = failed.then(|| "ops".to_owned()).into_iter().collect();
        Progress { left: 0, taken: BTreeSet::new(), failed, not_asked }
    }

    #[test]
    fn nobody_is_given_up_who_was_not_asked_and_nothing_is_done_that_others_may_want() {
        let manifest = "acme".parse().unwrap();
        let notice = latchkey::notice::Notice { manifest: Some(manifest), ..notice(NoticeKind::Created) };
        let held = Next::WithFile("acme".parse().unwrap());
        let waiting = Waiting { next: notice.at, notice, tries: 3, taken: BTreeSet::new() };
        let (fresh, late) = (Seconds::hours(1).after(waiting.notice.at), Seconds::days(8).after(waiting.notice.at));
        let then = |rest, failed, not_asked, now| after(&waiting, rest, &progress(failed, not_asked), now);
        let soon = |now| Next::At(SOON.after(now));
        assert_eq!(then(Rest::Nobody, false, false, fresh), (Next::Done, false));
        assert_eq!(then(Rest::Nobody, true, false, fresh), (Next::At(Seconds::minutes(8).after(fresh)), false));
        assert_eq!(then(Rest::Nobody, true, false, late), (Next::At(Seconds::minutes(8).after(late)), false));
        let often = Waiting { tries: 40, ..waiting.clone() };
        assert_eq!(after(&often, Rest::Nobody, &progress(true, false), late), (Next::Done, true));
        assert_eq!(after(&often, Rest::WithFile, &progress(true, false), late), (held.clone(), true));
        for failed in [true, false] {
            let then = after(&often, Rest::Nobody, &progress(failed, true), late);
            assert_eq!(then, (soon(late), false), "it is asked first");
        }
        assert_eq!(then(Rest::WithFile, false, false, late), (held.clone(), false));
        assert_eq!(then(Rest::WithJob, false, false, fresh), (soon(fresh), false));
        assert_eq!(then(Rest::WithJob, false, false, late), (held, false));
    }
}
