//! The gate that every call of a run passes. Nothing moves by itself: whoever drives the runs lets one call through at
//! a time, and says how it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use latchkey::mutex::{Mutex, MutexGuard};
use latchkey::place::PlaceId;
use latchkey::secret::TokenId;

use crate::step::About;
use crate::world::{State, World};

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// As it should.
    Well,
    /// No effect, and an error.
    Fails,
    /// The effect, and an error.
    TimesOut,
    /// No effect, and an error that says so.
    Refused,
    /// An error, and the effect later.
    Late,
    /// The effect; the run does not hear of it until it is let through once more.
    Held,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    about: About,
    go: Option<Go>,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: Vec<Waiting>,
}

/// The gate of one run.
#[derive(Debug)]
pub(crate) struct Gate {
    world: Arc<World>,
    queue: Mutex<Queue>,
    /// When the run last looked at each place, by stamp.
    pub(crate) looks: Mutex<BTreeMap<PlaceId, u64>>,
    /// What it saw there.
    pub(crate) saw: Mutex<BTreeMap<PlaceId, String>>,
    /// Which places each token declared when the run last read its record.
    pub(crate) declared: Mutex<BTreeMap<TokenId, BTreeSet<PlaceId>>>,
    /// When it last read the records of all its manifest's tokens.
    pub(crate) read_all: Mutex<u64>,
}

impl Gate {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            queue: Mutex::default(),
            looks: Mutex::default(),
            saw: Mutex::default(),
            declared: Mutex::default(),
            read_all: Mutex::default(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The calls that wait, oldest first.
    pub(crate) fn waiting(&self) -> Vec<About> {
        self.queue()
            .waiting
            .iter()
            .filter(|waiting| waiting.go.is_none())
            .map(|waiting| waiting.about.clone())
            .collect()
    }

    /// Lets a waiting call through.
    pub(crate) fn let_through(&self, index: usize, go: Go) {
        let waker = {
            let mut queue = self.queue();
            let waiting = queue.waiting.iter_mut().filter(|waiting| waiting.go.is_none()).nth(index).unwrap();
            waiting.go = Some(go);
            waiting.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Lets every call of something through until there is an answer.
    pub(crate) fn answered<T>(&self, asking: impl Future<Output = T>) -> T {
        let mut asking = std::pin::pin!(asking);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match asking.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => self.let_through(0, Go::Well),
            }
        }
    }

    fn wait(&self, about: About) -> Passage<'_> {
        let mut queue = self.queue();
        queue.next += 1;
        let ticket = queue.next;
        queue.waiting.push(Waiting { ticket, about, go: None, waker: None });
        Passage { gate: self, ticket }
    }

    /// One call: `act` has the effect.
    pub(crate) async fn pass<T>(&self, about: About, act: impl FnOnce(&mut State, Go) -> T) -> T {
        let go = self.wait(about.clone()).await;
        let done = {
            let mut state = self.world.state();
            let done = act(&mut state, go);
            if about.step.is_effect() {
                state.check(about.step);
            }
            done
        };
        if go == Go::Held {
            self.wait(About { hearing: true, ..about }).await;
        }
        done
    }
}

struct Passage<'a> {
    gate: &'a Gate,
    ticket: u64,
}

impl Future for Passage<'_> {
    type Output = Go;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Go> {
        let mut queue = self.gate.queue();
        let index = queue.waiting.iter().position(|waiting| waiting.ticket == self.ticket).unwrap();
        if let Some(go) = queue.waiting[index].go {
            queue.waiting.remove(index);
            return Poll::Ready(go);
        }
        queue.waiting[index].waker = Some(context.waker().clone());
        Poll::Pending
    }
}
