//! The gate that every call of a run passes: it counts them, and does one fault at one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey::mutex::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::world::World;

/// What a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The table is read.
    Read,
    /// A token is read before it is changed: too late for a person's hand to be seen by a look.
    Load,
    /// The table is changed.
    Change,
    /// Places are looked at.
    Look,
    /// A value is read back.
    Recover,
    /// A place is written.
    Write,
    /// An entry is removed.
    Remove,
}

impl Kind {
    /// Whether it changes anything.
    pub(crate) fn is_effect(self) -> bool {
        matches!(self, Self::Change | Self::Write | Self::Remove)
    }
}

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the call has its effect.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// A write fails and has no effect.
    Fails,
    /// A write times out and has arrived.
    Arrives,
    /// A write times out and arrives later.
    Late,
    /// The process is suspended before the call.
    Pause,
    /// The process is suspended after the effect, before it hears of it.
    PauseAfter,
}

/// Counts the calls of one run.
pub(crate) struct Gate {
    world: Arc<World>,
    plan: Option<(usize, Fault)>,
    steps: Mutex<Vec<Kind>>,
    halted: Notify,
    go: Notify,
    met: AtomicBool,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gate").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate with a fault at the call of that number, or none.
    pub(crate) fn new(world: &Arc<World>, plan: Option<(usize, Fault)>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            plan,
            steps: Mutex::default(),
            halted: Notify::new(),
            go: Notify::new(),
            met: AtomicBool::new(false),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Kind>> {
        self.steps.lock()
    }

    /// What it is the gate of.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The calls so far.
    pub(crate) fn steps(&self) -> Vec<Kind> {
        self.locked().clone()
    }

    /// Whether the fault was met.
    pub(crate) fn met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    /// Returns when the run is suspended or dead.
    pub(crate) async fn halted(&self) {
        self.halted.notified().await;
    }

    /// Lets a suspended run go on.
    pub(crate) fn resume(&self) {
        self.go.notify_one();
    }

    async fn pause(&self) {
        self.halted.notify_one();
        self.go.notified().await;
    }

    /// One call: `act` has the effect, and is told of a fault that only it can make.
    pub(crate) async fn pass<T>(&self, kind: Kind, note: &str, act: impl FnOnce(Option<Fault>) -> T) -> T {
        let number = {
            let mut steps = self.locked();
            steps.push(kind);
            steps.len() - 1
        };
        let fault = self.plan.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if fault.is_some() {
            self.met.store(true, Ordering::Relaxed);
        }
        // Who has crashed is never woken again: the run is dropped here.
        if matches!(fault, Some(Fault::CrashBefore | Fault::Pause)) {
            self.pause().await;
        }
        self.world.note(format!(
            "{:p} {number} {kind:?} {note}{}",
            self,
            fault.map_or_else(String::new, |fault| format!(" {fault:?}"))
        ));
        let done = act(fault);
        if kind.is_effect() {
            self.world.check(&format!("call {number}, {kind:?}")).await;
        }
        if matches!(fault, Some(Fault::CrashAfter | Fault::PauseAfter)) {
            self.pause().await;
        }
        done
    }
}
