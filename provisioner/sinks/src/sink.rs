//! What a sink is: something that contains secrets, behind one small trait, with capabilities as data.

#![warn(missing_docs)]

use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::Place;
use latchkey::secret::{Fingerprint, Secret, TokenId};

use super::error::SinkError;
use super::forgotten::ForgottenBranches;
use super::listing::ListedEntry;
use super::push::PushDeclaration;
use crate::deadline::Deadline;

/// What a type of sink can do.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "a table of yes and no is what it is")]
pub struct Capabilities {
    /// Its name in a manifest.
    pub kind: &'static str,
    /// A value can be read back.
    pub readable: bool,
    /// Shows which version it contains without the value being read.
    pub marker: bool,
    /// A write can be made to fail when something else wrote first.
    pub conditional: bool,
    /// A write restarts the consumers.
    pub restarts: bool,
    /// Consumers read a write only after their next deployment.
    pub redeploys: bool,
    /// [`Sink::survey`] is cheaper than a look, and may be some minutes old.
    pub surveys: bool,
    /// Reachable from this machine only.
    pub local: bool,
    /// The most writes that go together, see [`Sink::unit`].
    pub batch: usize,
    /// The longest value that it takes, in bytes.
    pub value_max: usize,
}

impl Capabilities {
    /// When its turn comes: vaults that can be read first, what restarts consumers last.
    pub fn turn(&self) -> u8 {
        match self {
            Self { restarts: true, .. } => 2,
            Self { redeploys: true, .. } | Self { readable: false, .. } => 1,
            _ => 0,
        }
    }
}

/// Which version a value is: put beside it where the sink can, else told by the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The token's public id.
    pub token_id: TokenId,
    /// The version's number.
    pub version: u32,
    /// The fingerprint of the whole value.
    pub fingerprint: Fingerprint,
}

/// What a sink reports of an entry as it is, at most 200 bytes and never the value: it changes when somebody
/// changes the entry by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// What a place contains, that is, what a consumer of it reads by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There is no such entry.
    Absent,
    /// There is one.
    Holds(SeenEntry),
    /// The login may not look here, as it may where there is nothing yet. A write that was told so makes an entry or
    /// fails, and replaces none.
    NotShown {
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// The entry at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEntry {
    /// The fingerprint of the whole value; `None` when the sink neither shows the value nor a marker of ours.
    pub fingerprint: Option<Fingerprint>,
    /// The id of the token that the marker, or the value itself, names. A claim: the service decides.
    pub token_id: Option<TokenId>,
    /// The entry as it is.
    pub receipt: Receipt,
    /// What consumers of the place may go back to: what the files contain that a path led to before its link was moved.
    pub former: Vec<Fingerprint>,
    /// Why consumers of the place may still read an older version than the entry shows, whichever it was; `None` where
    /// they read the entry itself. While it is set, no older version of the token may end.
    pub lagging: Option<String>,
}

impl Seen {
    /// Why consumers of the place may still read an older version, see [`SeenEntry::lagging`].
    pub fn lagging(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Holds(held) => held.lagging.as_deref(),
            Self::NotShown { reason, .. } => Some(reason),
        }
    }
}

/// One write that a sink is asked for.
#[derive(Debug)]
pub struct Write<'a> {
    /// Where it goes.
    pub place: &'a Place,
    /// The value, whole.
    pub secret: &'a Secret,
    /// Which version it is.
    pub marker: &'a Marker,
    /// The token's name, for tags and comments.
    pub token_name: &'a str,
    /// The manifest's name, for tags and comments.
    pub manifest: &'a str,
    /// What the place contained at the last look. A sink that can compare must refuse with [`SinkError::Changed`] when
    /// it contains anything else by now (finding already what is to be written is success).
    pub seen: &'a Seen,
}

/// A place that a version was announced for or delivered to, as the service has recorded.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    /// Where it went.
    pub place: &'a Place,
    /// The receipt of the last delivery.
    pub receipt: Option<&'a str>,
}

/// One entry that a sink is asked to remove.
#[derive(Debug)]
pub struct Removal<'a> {
    /// Where it is.
    pub place: &'a Place,
    /// What the place contained at the last look, see [`Write::seen`].
    pub seen: &'a Seen,
}

/// The sinks of one run: which one serves a push, and which one reaches a recorded place.
#[async_trait]
pub trait SinkSet: Send + Sync {
    /// This machine's name, as it is in places.
    fn machine(&self) -> &str;

    /// Where a push lands.
    ///
    /// # Errors
    /// When that is unknown, for instance because the sink's login is not valid.
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError>;

    /// The sink that reaches a place, declared now or recorded earlier.
    ///
    /// # Errors
    /// When this run has no way to reach it.
    async fn reach(&self, place: &Place) -> Result<Arc<dyn Sink>, SinkError>;
}

/// A sink as a manifest declares it: it knows where pushes to it land.
#[async_trait]
pub trait DeclaredSink: Sink {
    /// Where a push lands.
    ///
    /// # Errors
    /// When that is unknown, for instance because the login is not valid.
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError>;

    /// Whether it leads to a place of its type that is not declared any more.
    async fn reaches(&self, place: &Place) -> bool;

    /// The entries that are there, whoever wrote them, those only whose names begin with `prefix`. Where the vendor lists
    /// values too, they are dropped as they are read.
    ///
    /// # Errors
    /// When they cannot be listed, or none of the type can: libraries call what names an entry of a keyring by many names.
    async fn entries(&self, _prefix: &str) -> Result<Vec<ListedEntry>, SinkError> {
        Err(SinkError::Refused {
            reason: format!("entries of the type `{}` cannot be listed", self.capabilities().kind),
            hint: "declare its sink and pushes by hand".to_owned(),
        })
    }

    /// Takes note of branches that this run does not wait for. A sink whose consumers have no branches has none.
    fn forget_branches(&self, _branches: &Arc<ForgottenBranches>) {}
}

/// A place of one type of sink, reached with one login. Answers are in the order of what was asked.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The place that is at the end of this one's links, where it has any: two that lead to one are the same entry.
    fn leads_to(&self, _place: &Place) -> Option<Place> {
        None
    }

    /// Places with the same unit are written together, one after another unit.
    fn unit(&self, place: &Place) -> String;

    /// Checks login, permissions and that each place could be written, before anything is staged. Writes nothing.
    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>>;

    /// A version went to these places before, as the service has recorded: what is there now may be an older one of ours,
    /// whatever its marker says. A sink to which that makes no difference has nothing to note.
    fn went_to(&self, _delivered: &[Delivered<'_>]) {}

    /// What each place contains now.
    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>>;

    /// What the vendor itself calls the entry of each place, the same for two places only where they are one entry however
    /// their settings spell it. `None` where nothing but the place's parts is known of it. Asked after a look.
    async fn identities(&self, places: &[&Place]) -> Vec<Option<String>> {
        places.iter().map(|_| None).collect()
    }

    /// What each place contains, as far as the sink's cheapest list shows. A plan may rest on it, and no step that
    /// retires anything or writes without comparing.
    async fn survey(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        self.look(places).await
    }

    /// Reads the version `wanted` back, if the place has it, even where consumers do not read it yet. `None` when it
    /// is not there. The caller trusts the value only after the service has confirmed it.
    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError>;

    /// Writes values and markers, all of one [unit](Sink::unit). Starts nothing after `deadline`. A second write of
    /// the same value is success and changes nothing.
    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>>;

    /// Removes entries that are ours, all of one [unit](Sink::unit). An entry that is not there is success.
    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>>;

    /// The version `ended` is no longer valid, and no consumer reads it: a sink that keeps older values may disable it.
    async fn ended(&self, _place: &Place, _ended: &Marker) -> Result<(), SinkError> {
        Ok(())
    }

    /// All writes of a run are done, these among them: a sink may have its consumers redeployed, once. Answers what it
    /// did, for people.
    async fn written(&self, _places: &[&Place]) -> Result<Option<String>, SinkError> {
        Ok(None)
    }
}
