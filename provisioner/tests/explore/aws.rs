//! AWS, as it rotates a secret: it names a version, has a function do four steps one by one, and repeats them all when one
//! fails. The steps are the real ones; the function may die, or be outlived, at any call.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use latchkey::place::PlaceId;
use latchkey::secret::Secret;
use latchkey::token::{Token, TokenKey};
use latchkey_sinks::SinkError;
use latchkey_sinks::aws_secrets_manager::{PendingValue, Stage};
use latchkey_sinks::deadline::Deadline;
use provisioner::job::contract::{PendingVersion, Refused, Rotation, Runs, Step as Contract};
use provisioner::job::{Allowed, Restricted};
use provisioner::plan::Options;
use provisioner::service::ServiceError;

use crate::asks::Asked;
use crate::exploration::{Doing, unreachable};
use crate::gate::{Gate, Go};
use crate::job::work;
use crate::runs::over;
use crate::sinks::FakeSinks;
use crate::step::{About, Step};
use crate::world::{Lands, State, World, now};

/// How often AWS begins with the first step again.
const ATTEMPTS: usize = 2;

/// A rotation by AWS, of what the first place of the first token contains.
pub(crate) async fn rotate(world: Arc<World>, gate: Arc<Gate>, doing: Doing) {
    let (token, sinks) = &doing.tokens[0];
    let place = world.state().place(sinks[0], "API").id();
    let aws = Aws { token: TokenKey::new("ci".parse().unwrap(), token.parse().unwrap()), world, gate, place, doing };
    for _ in 0..ATTEMPTS {
        let Some(version) = aws.begin().await else { return };
        if aws.steps(version).await {
            return;
        }
    }
}

struct Aws {
    world: Arc<World>,
    gate: Arc<Gate>,
    doing: Doing,
    token: TokenKey,
    place: PlaceId,
}

impl Aws {
    async fn begin(&self) -> Option<u32> {
        let begin = |state: &mut State, go: Go| {
            let version = if go == Go::Fails { None } else { state.begin_rotation(&self.place) };
            version.filter(|_| go != Go::TimesOut)
        };
        self.gate.pass(About::new(Step::Begin).at(&self.place), begin).await
    }

    /// All steps in their order; whether none fails.
    async fn steps(&self, version: u32) -> bool {
        for step in [Contract::Create, Contract::Set, Contract::Test, Contract::Finish] {
            for _ in 0..if self.doing.doubly { 2 } else { 1 } {
                if !self.step(step, version).await {
                    return false;
                }
            }
        }
        true
    }

    /// One call of the function.
    async fn step(&self, step: Contract, version: u32) -> bool {
        let dead = dead(&self.world.state());
        let Ok(named) = Named::describe(&self.gate, &self.place, version).await else { return false };
        if step == Contract::Finish && self.world.state().finish_moves {
            named.moves().await;
        }
        let asked = Asked { gate: self.gate.clone() };
        let rotation = Rotation {
            version: &named,
            protocol: &asked,
            token: &self.token,
            manifest: &self.doing.manifest().name,
            place: &self.place,
            runs: self,
        };
        let answer = rotation.step(step).await;
        let mut state = self.world.state();
        let said = answer.as_ref().map_or_else(Refused::to_string, |what| (*what).to_owned());
        state.check_text(&said);
        state.note(|| format!("  {step:?} of AWS's version {version}: {said}"));
        if answer.is_ok() && named.stage == Stage::Pending {
            self.holds(&mut state, (step, version), &dead);
        }
        answer.is_ok()
    }

    /// What a step that did not fail tells AWS.
    fn holds(&self, state: &mut State, (step, version): (Contract, u32), dead: &BTreeSet<String>) {
        let Some(value) = state.rotated.get(&self.place).and_then(|labels| labels.values.get(&version)).cloned() else {
            return;
        };
        if dead.contains(&value) {
            state.broke(format!("A: {step:?} went on with a version that did not work when it began"));
        }
        let Some((id, number)) = state.values.get(&value).cloned() else { return };
        let newest =
            state.promises.iter().any(|((of, other), promise)| *of == id && *other >= number && promise.promoted);
        if step == Contract::Finish && !newest {
            state.broke(format!("B: AWS was told that version {number} is everywhere, and it was never current"));
        }
    }
}

/// The secrets that do not work.
fn dead(state: &State) -> BTreeSet<String> {
    let dead = state.values.iter().filter(|(_, (id, number))| !state.service.works(id, *number, now()));
    dead.map(|(value, _)| value.clone()).collect()
}

#[async_trait(?Send)]
impl Runs for Aws {
    async fn allowed(&self, record: &Token) -> Result<Allowed, Refused> {
        let sinks = FakeSinks::new(&self.gate);
        let (manifest, tokens) = work(&self.doing.manifest(), std::slice::from_ref(record), &sinks).await;
        if tokens.is_empty() {
            return Err(
                ServiceError::refused("not_as_applied", "its places are not those that it was applied with").into()
            );
        }
        Ok(Allowed { manifest, sinks: Box::new(sinks) })
    }

    async fn run(&self, record: &Token, options: Options) -> Result<Option<Refused>, ServiceError> {
        let (asked, sinks) = (Asked { gate: self.gate.clone() }, FakeSinks::new(&self.gate));
        let (manifest, tokens) = work(&self.doing.manifest(), std::slice::from_ref(record), &sinks).await;
        over(&self.world, (&Restricted::new(&asked, tokens), &sinks), &manifest, options).await;
        Ok(None)
    }
}

/// A version that AWS named.
struct Named {
    gate: Arc<Gate>,
    place: PlaceId,
    version: u32,
    id: String,
    stage: Stage,
}

impl Named {
    async fn describe(gate: &Arc<Gate>, place: &PlaceId, version: u32) -> Result<Self, SinkError> {
        let describe = |state: &mut State, go: Go| match state.rotated.get(place) {
            Some(labels) if go != Go::Fails => Ok(match () {
                () if labels.current == Some(version) => Stage::Current,
                () if labels.pending == Some(version) => Stage::Pending,
                () => Stage::Neither,
            }),
            _ => Err(unreachable("down")),
        };
        let stage = gate.pass(About::new(Step::Describe).at(place), describe).await?;
        Ok(Self { gate: gate.clone(), place: place.clone(), version, id: version.to_string(), stage })
    }

    fn about(&self, step: Step) -> About {
        About::new(step).at(&self.place)
    }

    async fn read(&self, of: impl Fn(&State) -> Option<&String>) -> Result<PendingValue, SinkError> {
        let read = |state: &mut State, go: Go| {
            if go == Go::Fails {
                return Err(unreachable("down"));
            }
            Ok(match of(state).map(|value| Secret::parse(value)) {
                None => PendingValue::Empty,
                Some(Ok(secret)) => PendingValue::Secret(secret),
                Some(Err(_)) => PendingValue::Foreign,
            })
        };
        self.gate.pass(self.about(Step::ReadPending), read).await
    }

    fn put_one(&self, state: &mut State, value: &str, go: Go) -> Result<(), SinkError> {
        match go {
            Go::Fails => return Err(denied()),
            Go::Refused => return Err(denied().rejected()),
            Go::Late => {
                state.late_write(&self.place, value, (false, Lands::Pending(self.version)));
                return Err(unreachable("timed out"));
            }
            _ => {}
        }
        if !state.put_pending(&self.place, self.version, value) {
            return Err(SinkError::Refused { reason: "it has another value".to_owned(), hint: "none".to_owned() });
        }
        if go == Go::TimesOut { Err(unreachable("timed out")) } else { Ok(()) }
    }

    /// What a function does that is made from AWS's samples.
    async fn moves(&self) {
        let moves = |state: &mut State, _: Go| {
            let value = state.rotated.get(&self.place).and_then(|labels| labels.values.get(&self.version)).cloned();
            if let Some(value) = value {
                state.write(&self.place, &value);
                state.labelled(&self.place, self.version);
            }
        };
        self.gate.pass(self.about(Step::Write), moves).await;
    }
}

fn denied() -> SinkError {
    SinkError::Denied { reason: "no".to_owned(), hint: "none".to_owned() }
}

#[async_trait]
impl PendingVersion for Named {
    fn name(&self) -> &'static str {
        "prod/api"
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn stage(&self) -> Stage {
        self.stage
    }

    async fn value(&self) -> Result<PendingValue, SinkError> {
        self.read(|state| state.rotated.get(&self.place)?.values.get(&self.version)).await
    }

    async fn value_that_was_put(&self) -> Result<PendingValue, SinkError> {
        self.value().await
    }

    async fn current_value(&self) -> Result<PendingValue, SinkError> {
        self.read(|state| Some(&state.places.get(&self.place)?.value)).await
    }

    async fn put(&self, secret: &Secret, deadline: Deadline) -> Result<(), SinkError> {
        let put = |state: &mut State, go: Go| {
            if deadline.has_passed() && !state.no_deadline {
                return Err(SinkError::Late);
            }
            self.put_one(state, secret.expose(), go)
        };
        self.gate.pass(self.about(Step::PutPending), put).await
    }

    async fn end(&self, deadline: Deadline) -> Result<(), SinkError> {
        let end = |state: &mut State, go: Go| {
            if deadline.has_passed() {
                return Err(SinkError::Late);
            }
            if go == Go::Fails {
                return Err(denied());
            }
            state.end_rotation(&self.place, self.version);
            if go == Go::TimesOut { Err(unreachable("timed out")) } else { Ok(()) }
        };
        self.gate.pass(self.about(Step::EndPending), end).await
    }
}
