//! The suite on the smallest sink there is, a shelf in memory: an example for authors. And the suite itself: for each
//! promise there is a mistake that a sink could make, which it must notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::mutex::{Mutex, MutexGuard};
use latchkey::place::Place;
use latchkey::secret::{Digest, Secret};
use latchkey_sinks::conformance::{self, Bench, On, Trouble};
use latchkey_sinks::deadline::Deadline;
use latchkey_sinks::host::Queues;
use latchkey_sinks::login::Login;
use latchkey_sinks::reading::{Reading, Text};
use latchkey_sinks::{
    Capabilities, DeclaredFile, DeclaredSink, LeastRights, Marker, PushDeclaration, PushedEntry, Receipt, Removal,
    Seen, SeenEntry, Sink, SinkError, SinkFacts, Spot, Twin, Write,
};

latchkey_sinks::conformance!(Some(Shelf::default()));

/// What a sink could do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    KeepsNothing,
    WritesTheSameAgain,
    KeepsTheOldVersion,
    ClearsTheShelf,
    ClaimsWhatIsForeign,
    NeverCompares,
    RemembersWhatItWrote,
    WritesOneByOne,
    IgnoresTheDeadline,
    ChecksByWriting,
    GivesUpOnALook,
    RepeatsWhatWasNotAnswered,
    CallsAnExpiredLoginUnreachable,
    CallsSilenceCertain,
    SaysTheValue,
    SendsTheJobThere,
}

#[derive(Debug, Default)]
struct Contents {
    values: BTreeMap<String, String>,
    changes: usize,
    troubles: Vec<(Trouble, On)>,
    /// The last receipt of each entry, for the mistake that believes it.
    remembered: BTreeMap<String, SeenEntry>,
}

/// A shelf, which is its own bench.
#[derive(Debug, Clone, Default)]
struct Shelf {
    contents: Arc<Mutex<Contents>>,
    mistake: Option<Mistake>,
}

impl Shelf {
    fn with(mistake: Mistake) -> Self {
        Self { mistake: Some(mistake), ..Self::default() }
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock()
    }

    /// The trouble that a request of that kind meets now.
    fn meets(&self, on: On) -> Option<Trouble> {
        let mut contents = self.contents();
        let next = contents.troubles.iter().position(|(_, wanted)| *wanted == on)?;
        Some(contents.troubles.remove(next).0)
    }

    fn seen(&self, place: &Place) -> Seen {
        let contents = self.contents();
        if let Some(remembered) =
            contents.remembered.get(name(place)).filter(|_| self.makes(Mistake::RemembersWhatItWrote))
        {
            return Seen::Holds(remembered.clone());
        }
        let Some(value) = contents.values.get(name(place)) else { return Seen::Absent };
        let fingerprint = Digest::of(value.as_bytes()).fingerprint();
        let token_id = Secret::parse(value).ok().map(|secret| secret.token_id());
        let claimed = self.makes(Mistake::ClaimsWhatIsForeign).then(|| "0123456789abcdef".parse().expect("an id"));
        Seen::Holds(SeenEntry {
            receipt: Receipt(fingerprint.to_string()),
            fingerprint: Some(fingerprint),
            token_id: token_id.or(claimed),
            former: Vec::new(),
            lagging: None,
        })
    }

    /// Changes what was seen, unless it did so before.
    fn change(&self, place: &Place, value: Option<&str>, seen: &Seen, deadline: Deadline) -> Result<(), SinkError> {
        if deadline.has_passed() && !self.makes(Mistake::IgnoresTheDeadline) {
            return Err(SinkError::Late);
        }
        let now = self.seen(place);
        let there = self.contents().values.get(name(place)).cloned();
        if there.as_deref() == value && !self.makes(Mistake::WritesTheSameAgain) {
            return Ok(());
        }
        if now != *seen && there.as_deref() != value && !self.makes(Mistake::NeverCompares) {
            return Err(match there {
                Some(there) if self.makes(Mistake::SaysTheValue) => {
                    SinkError::Refused { reason: format!("it contains {there}"), hint: String::new() }
                }
                _ => SinkError::Changed,
            });
        }
        let keeps = self.makes(Mistake::KeepsNothing) || (self.makes(Mistake::KeepsTheOldVersion) && there.is_some());
        let mut contents = self.contents();
        contents.changes += 1;
        if self.makes(Mistake::ClearsTheShelf) {
            contents.values.clear();
        }
        match value {
            _ if keeps => None,
            Some(value) => contents.values.insert(name(place).to_owned(), value.to_owned()),
            None => contents.values.remove(name(place)),
        };
        Ok(())
    }

    /// The same over a line that may break.
    fn try_change(&self, place: &Place, value: &str, seen: &Seen, deadline: Deadline) -> Result<(), SinkError> {
        let silent = || SinkError::Unreachable { reason: "the shelf did not answer".to_owned() };
        match self.meets(On::Write) {
            None | Some(Trouble::Throttled(_) | Trouble::Broken(_)) => self.change(place, Some(value), seen, deadline),
            Some(Trouble::Unheard) => Err(silent()),
            Some(Trouble::Unanswered) => {
                self.change(place, Some(value), seen, deadline)?;
                if self.makes(Mistake::RepeatsWhatWasNotAnswered) {
                    self.contents().changes += 1;
                }
                Err(if self.makes(Mistake::CallsSilenceCertain) { silent().rejected() } else { silent() })
            }
            Some(Trouble::LoginExpired) => Err(self.expired()),
            Some(Trouble::Forbidden) => {
                Err(SinkError::Denied { reason: "it is locked".to_owned(), hint: "unlock it".to_owned() }.rejected())
            }
        }
    }

    fn expired(&self) -> SinkError {
        let reason = "the key to the shelf is no longer valid".to_owned();
        if self.makes(Mistake::CallsAnExpiredLoginUnreachable) {
            return SinkError::Unreachable { reason };
        }
        SinkError::Login { reason, hint: "get another one".to_owned() }
    }
}

fn name(place: &Place) -> &str {
    place.part("name").unwrap_or_default()
}

#[async_trait]
impl DeclaredSink for Shelf {
    async fn place(&self, push: &PushDeclaration) -> Result<Place, SinkError> {
        Ok(Place::new("shelf", &[("name", &push.name)], true))
    }

    async fn reaches(&self, place: &Place) -> bool {
        place.kind == "shelf"
    }
}

#[async_trait]
impl Sink for Shelf {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "shelf",
            readable: true,
            marker: false,
            conditional: true,
            restarts: true,
            redeploys: false,
            surveys: false,
            local: true,
            batch: 10,
            value_max: 1024,
        }
    }

    fn unit(&self, _: &Place) -> String {
        String::new()
    }

    async fn prepare(&self, places: &[&Place]) -> Vec<Result<(), SinkError>> {
        if self.makes(Mistake::ChecksByWriting) {
            self.contents().changes += 1;
        }
        places.iter().map(|_| Ok(())).collect()
    }

    async fn look(&self, places: &[&Place]) -> Vec<Result<Seen, SinkError>> {
        let failed = match self.meets(On::Read) {
            Some(Trouble::LoginExpired) => Some(self.expired()),
            Some(_) if self.makes(Mistake::GivesUpOnALook) => {
                Some(SinkError::Unreachable { reason: "the shelf did not answer".to_owned() })
            }
            // What passes by itself is asked again.
            _ => None,
        };
        places.iter().map(|place| failed.clone().map_or_else(|| Ok(self.seen(place)), Err)).collect()
    }

    async fn read(&self, place: &Place, wanted: &Marker) -> Result<Option<Secret>, SinkError> {
        let secret = self.contents().values.get(name(place)).and_then(|value| Secret::parse(value).ok());
        Ok(secret.filter(|secret| secret.fingerprint() == wanted.fingerprint))
    }

    async fn write(&self, writes: &[Write<'_>], deadline: Deadline) -> Vec<Result<Receipt, SinkError>> {
        let before = self.contents().changes;
        let mut answers = Vec::new();
        for write in writes {
            let done = self.try_change(write.place, write.secret.expose(), write.seen, deadline);
            let receipt = Receipt(write.secret.fingerprint().to_string());
            if done.is_ok() && self.makes(Mistake::RemembersWhatItWrote) {
                let entry = SeenEntry {
                    receipt: receipt.clone(),
                    fingerprint: Some(write.marker.fingerprint.clone()),
                    token_id: Some(write.marker.token_id.clone()),
                    former: Vec::new(),
                    lagging: None,
                };
                self.contents().remembered.insert(name(write.place).to_owned(), entry);
            }
            answers.push(done.map(|()| receipt));
        }
        if writes.len() > 1 && !self.makes(Mistake::WritesOneByOne) {
            let mut contents = self.contents();
            contents.changes = contents.changes.min(before + 1);
        }
        answers
    }

    async fn remove(&self, removals: &[Removal<'_>], deadline: Deadline) -> Vec<Result<(), SinkError>> {
        removals.iter().map(|removal| self.change(removal.place, None, removal.seen, deadline)).collect()
    }
}

#[async_trait]
impl Bench for Shelf {
    fn sink(&self) -> Arc<dyn DeclaredSink> {
        Arc::new(self.clone())
    }

    fn facts(&self) -> Option<Box<dyn SinkFacts>> {
        let login = Login::Env { env: "SHELF_KEY".to_owned() };
        Some(Box::new(Settings { login, published: self.makes(Mistake::SendsTheJobThere) }))
    }

    fn push(&self, name: &str) -> PushDeclaration {
        PushDeclaration::plain("shelf", name)
    }

    async fn value(&self, place: &Place) -> Option<String> {
        self.contents().values.get(name(place)).cloned()
    }

    async fn by_hand(&self, place: &Place, value: &str) {
        self.contents().values.insert(name(place).to_owned(), value.to_owned());
    }

    async fn removed_by_hand(&self, place: &Place) {
        self.contents().values.remove(name(place));
    }

    fn trouble(&self, trouble: Trouble, on: On) -> bool {
        self.contents().troubles.push((trouble, on));
        true
    }

    async fn changes(&self) -> usize {
        self.contents().changes
    }
}

/// What a manifest would say of a shelf.
#[derive(Debug)]
struct Settings {
    login: Login,
    published: bool,
}

impl SinkFacts for Settings {
    fn logins(&self) -> Vec<(&'static str, &Login)> {
        vec![("login", &self.login)]
    }

    fn file(&self) -> Option<DeclaredFile<'_>> {
        None
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn check_name(&self, _: &Text<'_>, _: &mut Reading<'_>) {}

    fn spot(&self, push: &PushDeclaration) -> Spot {
        Spot { owner: String::new(), name: push.name.clone(), apart: None }
    }

    fn parts(&self, push: &PushDeclaration) -> Vec<(&'static str, Option<String>)> {
        vec![("name", Some(push.name.clone()))]
    }

    fn unpublishable(&self) -> Option<String> {
        (!self.published).then(|| "its key is in the environment of this machine".to_owned())
    }

    fn twin(&self) -> Option<Twin> {
        None
    }

    fn rights(&self, _: &[PushedEntry<'_>]) -> LeastRights {
        LeastRights::Words("the key")
    }

    fn connect(&self, _: &str, _: &Queues) -> Option<Arc<dyn DeclaredSink>> {
        None
    }
}

/// Each promise, and a mistake that breaks it.
macro_rules! noticed {
    ($($promise:ident $mistake:ident)*) => {$(
        #[tokio::test]
        async fn $promise() {
            let shelf = super::Shelf::with(super::Mistake::$mistake);
            let promise = std::panic::AssertUnwindSafe(super::conformance::$promise(&shelf));
            let outcome = futures_util::FutureExt::catch_unwind(promise).await;
            assert!(outcome.is_err(), "the suite does not notice a sink that makes this mistake: {:?}", shelf.mistake);
        }
    )*};
}

mod mistakes {
    noticed! {
        what_is_written_is_seen KeepsNothing
        a_second_write_changes_nothing WritesTheSameAgain
        a_newer_version_takes_over KeepsTheOldVersion
        neighbours_stay_as_they_are ClearsTheShelf
        what_is_foreign_is_not_taken_for_ours ClaimsWhatIsForeign
        what_changed_since_the_look_is_not_overwritten NeverCompares
        a_change_by_hand_is_found RemembersWhatItWrote
        only_what_was_seen_is_removed NeverCompares
        a_batch_is_one_change WritesOneByOne
        nothing_starts_after_its_deadline IgnoresTheDeadline
        checks_change_nothing ChecksByWriting
        passing_trouble_on_a_look_is_waited_for GivesUpOnALook
        passing_trouble_on_a_write_loses_and_repeats_nothing RepeatsWhatWasNotAnswered
        an_expired_login_is_told_by_a_look CallsAnExpiredLoginUnreachable
        an_expired_login_is_told_by_a_write CallsAnExpiredLoginUnreachable
        a_refusal_is_certain_only_where_nothing_can_arrive CallsSilenceCertain
        nothing_shows_a_secret SaysTheValue
        what_only_this_machine_reaches_is_told SendsTheJobThere
    }
}
