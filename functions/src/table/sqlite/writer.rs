//! The one writer: what is queued is done together, and answered when it is on the disk.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure::{failure, held, is_held, words};
use super::file::{File, OpenError};
use super::write;
use crate::clock::Clock;
use crate::mutex::Mutex;
use crate::table::TableError;
use crate::table::condition::Condition;
use crate::table::engine::{Failure, Plain, Write};
use crate::table::item::Item;
use crate::table::keys::Key;
use crate::table::update::Update;

/// How many requests share one commit at the most.
const TOGETHER: usize = 256;
/// How many requests are remembered, by which one that is sent again is known: those of minutes, of memory that is little.
const REMEMBERED: usize = 8192;
/// How often rows go whose time has come, in seconds, and how many at once.
const SWEEP_EVERY: i64 = 60;
const SWEEP: usize = 100;

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Work {
    Update { key: Key, update: Update, condition: Condition },
    Transact { request: String, writes: Vec<Write> },
    Plain(Vec<Plain>),
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What the changed attributes of an update are now.
    pub(super) changed: Item,
}

struct Job {
    work: Work,
    reply: oneshot::Sender<Result<Done, Failure>>,
}

/// Writes, and answers when what was written is safe.
#[derive(Debug)]
pub(super) struct Writer(How);

#[derive(Debug)]
enum How {
    /// In a thread of its own, which ends when this goes.
    Thread { queue: Option<Sender<Job>>, thread: Option<JoinHandle<()>> },
    /// In the caller's thread.
    Inline(Mutex<Committer>),
}

impl Writer {
    /// A writer on a file.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn on_file((file, connection): (File, Connection), clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let connection = Arc::new(Mutex::new(connection));
        let mut committer = Committer { file: Some(file.clone()), ..Committer::new(connection, clock) };
        let (queue, jobs) = channel();
        let thread = std::thread::Builder::new().name("table".to_owned()).spawn(move || committer.serve(&jobs));
        let thread = thread.map_err(|source| OpenError::File { path: file.path().to_owned(), source })?;
        Ok(Self(How::Thread { queue: Some(queue), thread: Some(thread) }))
    }

    /// A writer on a connection that others read by, too.
    pub(super) fn inline(connection: Arc<Mutex<Connection>>, clock: Arc<dyn Clock>) -> Self {
        Self(How::Inline(Mutex::new(Committer::new(connection, clock))))
    }

    /// Does what is asked for, whole or not at all.
    pub(super) async fn write(&self, work: Work) -> Result<Done, Failure> {
        let gone = || Failure::Unknown("its writer has ended".to_owned());
        match &self.0 {
            How::Thread { queue, .. } => {
                let (reply, answer) = oneshot::channel();
                let queue = queue.as_ref().ok_or_else(gone)?;
                queue.send(Job { work, reply }).map_err(|_| gone())?;
                answer.await.map_err(|_| gone())?
            }
            How::Inline(committer) => {
                let mut committer = committer.lock();
                let answer = committer.commit(&[&work]).pop();
                committer.sweep();
                answer.unwrap_or_else(|| Err(gone()))
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let How::Thread { queue, thread } = &mut self.0 {
            *queue = None;
            // What is under way ends; then the file is closed.
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

/// Why nothing of a transaction was done.
enum Stopped {
    /// It could not begin, whatever it is about.
    Before(Refused),
    /// One of its requests met that.
    Within(Failure),
}

/// Why none can begin: the same for all that wait.
enum Refused {
    Held,
    Storage(String),
}

impl Refused {
    fn of(error: &rusqlite::Error) -> Self {
        if is_held(error) { Self::Held } else { Self::Storage(words(error)) }
    }

    fn failure(&self) -> Failure {
        match self {
            Self::Held => held(),
            Self::Storage(why) => TableError::Storage(why.clone()).into(),
        }
    }
}

/// Runs requests and commits them.
struct Committer {
    connection: Arc<Mutex<Connection>>,
    /// What is opened again after a commit that failed.
    file: Option<File>,
    /// Whether it is to be opened again before anything else is done.
    broken: bool,
    clock: Arc<dyn Clock>,
    swept: i64,
    done: Remembered,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Committer")
    }
}

impl Committer {
    fn new(connection: Arc<Mutex<Connection>>, clock: Arc<dyn Clock>) -> Self {
        Self { connection, file: None, broken: false, clock, swept: i64::MIN, done: Remembered::default() }
    }

    /// Answers jobs until nobody can send any more.
    fn serve(&mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut batch = vec![first];
            while let Some(job) = (batch.len() < TOGETHER).then(|| jobs.try_recv().ok()).flatten() {
                batch.push(job);
            }
            let works: Vec<&Work> = batch.iter().map(|job| &job.work).collect();
            let answers = self.commit(&works);
            for (job, answer) in batch.into_iter().zip(answers) {
                // Nobody may wait for it any more.
                let _ = job.reply.send(answer);
            }
            self.sweep();
        }
    }

    /// Does all of these in one transaction; each that fails takes only itself back. As many answers as works.
    fn commit(&mut self, works: &[&Work]) -> Vec<Result<Done, Failure>> {
        match (self.together(works), works) {
            (Ok(answers), _) => answers,
            (Err(Stopped::Before(why)), _) => works.iter().map(|_| Err(why.failure())).collect(),
            (Err(Stopped::Within(error)), [_]) => vec![Err(error)],
            // One of them met more than a condition. Each for itself, the others go well.
            (Err(Stopped::Within(_)), _) => works.iter().flat_map(|work| self.commit(&[work])).collect(),
        }
    }

    fn together(&mut self, works: &[&Work]) -> Result<Vec<Result<Done, Failure>>, Stopped> {
        self.mend().map_err(|why| Stopped::Before(Refused::Storage(why)))?;
        let connection = self.connection.clone();
        let connection = connection.lock();
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| Stopped::Before(Refused::of(&error)))?;
        let mut answers = Vec::with_capacity(works.len());
        for work in works {
            match self.one(&connection, work) {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    // Some failures have taken it back already.
                    let _ = connection.execute_batch("ROLLBACK");
                    return Err(Stopped::Within(error));
                }
            }
        }
        if let Err(error) = connection.execute_batch("COMMIT") {
            // Whether it is on the disk nobody knows before the file was opened again.
            self.broken = self.file.is_some();
            let _ = connection.execute_batch("ROLLBACK");
            let why = words(&error);
            let unknown = |answer: Result<Done, Failure>| answer.and_then(|_| Err(Failure::Unknown(why.clone())));
            return Ok(answers.into_iter().map(unknown).collect());
        }
        for (work, answer) in works.iter().zip(&answers) {
            if let (Work::Transact { request, .. }, Ok(_)) = (work, answer) {
                self.done.insert(request);
            }
        }
        Ok(answers)
    }

    /// Runs one request in a savepoint. The outer error is one that ends the whole transaction.
    fn one(&self, connection: &Connection, work: &Work) -> Result<Result<Done, Failure>, Failure> {
        if matches!(work, Work::Transact { request, .. } if self.done.contains(request)) {
            return Ok(Ok(Done::default()));
        }
        connection.execute_batch("SAVEPOINT request").map_err(failure)?;
        match write::work(connection, work) {
            Ok(done) => {
                connection.execute_batch("RELEASE request").map_err(failure)?;
                Ok(Ok(done))
            }
            Err(error @ (Failure::Condition | Failure::Cancelled(_) | Failure::Table(TableError::Invalid(_)))) => {
                connection.execute_batch("ROLLBACK TO request; RELEASE request").map_err(failure)?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the file again after a commit that failed.
    fn mend(&mut self) -> Result<(), String> {
        let Some(file) = self.file.as_ref().filter(|_| self.broken) else { return Ok(()) };
        let fresh = file.connect().map_err(|error| error.to_string())?;
        *self.connection.lock() = fresh;
        self.broken = false;
        Ok(())
    }

    /// Now and then removes some rows whose time has come. What fails here fails nobody.
    fn sweep(&mut self) {
        let now = self.clock.now().as_second();
        if self.broken || now < self.swept.saturating_add(SWEEP_EVERY) {
            return;
        }
        let connection = self.connection.lock();
        let swept = connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(failure)
            .and_then(|()| write::sweep(&connection, now, SWEEP))
            .and_then(|more| connection.execute_batch("COMMIT").map_err(failure).map(|()| more));
        match swept {
            // The rest goes with the next requests.
            Ok(true) => {}
            Ok(false) => self.swept = now,
            Err(error) => {
                tracing::warn!(%error, "rows whose time has come stay for now");
                let _ = connection.execute_batch("ROLLBACK");
                self.swept = now;
            }
        }
    }
}

/// The last requests that were done.
#[derive(Debug, Default)]
struct Remembered {
    order: VecDeque<Arc<str>>,
    all: HashSet<Arc<str>>,
}

impl Remembered {
    fn contains(&self, request: &str) -> bool {
        self.all.contains(request)
    }

    fn insert(&mut self, request: &str) {
        let request: Arc<str> = request.into();
        if !self.all.insert(request.clone()) {
            return;
        }
        self.order.push_back(request);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}
