//! The service as a run reaches it: every call passes the run's gate, then the oracle answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use latchkey::moving::Moving;
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{Arrival, Look, WRITE_BEFORE};
use latchkey::role::Permissions;
use latchkey::secret::{Secret, TokenId};
use latchkey::service::{Edit, Issued, NewToken, Origin, Role, UserChange};
use latchkey::token::{Token, TokenKey};
use latchkey::user::User;
use latchkey_sinks::deadline::Deadline;
use provisioner::service::{Granted, Managed, Protocol, Records, ServiceError};

use crate::gate::{Gate, Go};
use crate::step::{About, Step};
use crate::world::{State, elapsed, now};

/// The service, asked by one run.
pub(crate) struct Asked {
    pub(crate) gate: Arc<Gate>,
}

/// The places that a token declares.
fn declared(token: &Token) -> BTreeSet<PlaceId> {
    token.places.iter().filter(|(_, record)| record.declared).map(|(id, _)| id.clone()).collect()
}

fn silent() -> ServiceError {
    ServiceError::Unavailable("no answer".to_owned())
}

impl Asked {
    async fn ask<T>(
        &self,
        about: About,
        act: impl FnOnce(&mut State) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let gone_on = |state: &mut State, go: Go| {
            if go == Go::Fails {
                return Err(silent());
            }
            let answer = act(state);
            if let Err(error) = &answer {
                state.note(|| format!("  refused: {error}"));
            }
            if go == Go::TimesOut { Err(silent()) } else { answer }
        };
        self.gate.pass(about, gone_on).await
    }
}

#[async_trait]
impl Records for Asked {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn managed_tokens(&self, manifest: &ManifestName) -> Result<Managed, ServiceError> {
        let act = |state: &mut State| {
            let tokens = state.service.managed_tokens(manifest);
            *self.gate.declared.lock() = tokens.iter().map(|token| (token.id.clone(), declared(token))).collect();
            *self.gate.read_all.lock() = state.seconds;
            Ok(Managed { tokens, max_tokens: 10 })
        };
        self.ask(About::new(Step::Observe), act).await
    }

    async fn holders(&self, _: &ManifestName, wanted: &[TokenKey]) -> Result<Vec<Token>, ServiceError> {
        // Nothing is asked for nothing.
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(About::new(Step::Observe), |state| Ok(state.service.holders(wanted))).await
    }

    async fn origins(&self, _: &ManifestName, ids: &[TokenId]) -> Result<Vec<Origin>, ServiceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(About::new(Step::Observe), |state| Ok(state.service.origins(ids))).await
    }

    async fn expired_tokens(&self, _: &ManifestName, _: &UserName) -> Result<u32, ServiceError> {
        Ok(0)
    }

    async fn users(&self, _: &ManifestName, names: &[UserName]) -> Result<Vec<User>, ServiceError> {
        let users =
            |state: &mut State| Ok(names.iter().filter_map(|name| state.service.users.get(name)).cloned().collect());
        self.ask(About::new(Step::Observe), users).await
    }

    async fn roles(&self, _: &ManifestName) -> Result<Vec<Role>, ServiceError> {
        self.ask(About::new(Step::Observe), |state| Ok(state.service.roles.values().cloned().collect())).await
    }

    async fn confirm(&self, _: &ManifestName, token: &Token, secret: &Secret) -> Result<Option<u32>, ServiceError> {
        self.ask(About::of(Step::Confirm, token, 0), |state| Ok(state.service.confirm(token, secret, now()))).await
    }

    async fn reread(&self, _: &ManifestName, token: &Token) -> Result<Token, ServiceError> {
        let reread = |state: &mut State| {
            let by_name = state.service.mistake == Some(crate::oracle::Mistake::NameUsedAgain);
            if let Some(now) = state.service.active.values().find(|found| found.id == token.id) {
                self.gate.declared.lock().insert(now.id.clone(), declared(now));
            }
            let found = state.service.holders(&[token.key()]);
            let same = found.into_iter().find(|found| by_name || found.id == token.id);
            same.ok_or_else(|| ServiceError::Gone("the token was deleted meanwhile".to_owned()))
        };
        self.ask(About::of(Step::Reread, token, 0), reread).await
    }
}

#[async_trait]
impl Protocol for Asked {
    fn deadline(&self, length: Duration) -> Deadline {
        Deadline::by(elapsed, length)
    }

    async fn put_role(
        &self,
        name: &RoleName,
        permissions: &Permissions,
        (manifest, _): (Option<&ManifestName>, &Moving),
    ) -> Result<Role, ServiceError> {
        self.ask(About::new(Step::PutRole), |state| Ok(state.service.put_role(name, permissions, manifest))).await
    }

    async fn put_user(&self, name: &UserName, change: &UserChange) -> Result<User, ServiceError> {
        self.ask(About::new(Step::PutUser), |state| Ok(state.service.put_user(name, change, now()))).await
    }

    async fn create(&self, new: NewToken) -> Result<Issued, ServiceError> {
        let create = |state: &mut State| {
            let carried = state.service.create(new, now())?;
            state.minted(&carried.secret, carried.number);
            Ok(carried)
        };
        self.ask(About::new(Step::Create), create).await
    }

    async fn edit(&self, token: &Token, edit: &Edit) -> Result<Token, ServiceError> {
        self.ask(About::of(Step::Edit, token, 0), |state| state.service.edit(token, edit, now())).await
    }

    async fn stage(&self, token: &Token) -> Result<Issued, ServiceError> {
        let stage = |state: &mut State| {
            let carried = state.service.stage(token, now())?;
            state.minted(&carried.secret, carried.number);
            Ok(carried)
        };
        self.ask(About::of(Step::Stage, token, 0), stage).await
    }

    async fn grant_write(&self, token: &Token, number: u32, places: &[PlaceId]) -> Result<Granted, ServiceError> {
        let announce = |state: &mut State| {
            let (token, announcement) = state.service.announce(token, number, places, now())?;
            state.announced(&token, number);
            Ok(Granted { within: Duration::from_secs(WRITE_BEFORE.0), announcement })
        };
        let about = places.iter().fold(About::of(Step::Announce, token, number), About::at);
        self.ask(about, announce).await
    }

    async fn withdraw(
        &self,
        token: &Token,
        number: u32,
        place: &PlaceId,
        announcement: u64,
    ) -> Result<(), ServiceError> {
        let withdraw = |state: &mut State| {
            let token = state.service.withdraw(token, number, (place, announcement))?;
            state.withdrawn(&token, number);
            Ok(())
        };
        self.ask(About::of(Step::Withdraw, token, number).at(place), withdraw).await
    }

    async fn deliver(&self, token: &Token, number: u32, arrival: &Arrival<'_>) -> Result<Token, ServiceError> {
        let deliver = |state: &mut State| {
            state.check_text(arrival.receipt);
            let delivered = state.service.deliver(token, number, arrival, now())?;
            let saw = self.gate.saw.lock().get(arrival.place).cloned();
            state.delivers(&delivered, number, (arrival, saw.as_deref()));
            Ok(delivered)
        };
        self.ask(About::of(Step::Report, token, number).at(arrival.place), deliver).await
    }

    async fn promote(&self, token: &Token, number: u32, arrivals: &[Arrival<'_>]) -> Result<Token, ServiceError> {
        let promote = |state: &mut State| {
            for arrival in arrivals {
                state.check_text(arrival.receipt);
            }
            let old = state.service.active.get(&token.key()).cloned();
            let token = state.service.promote(token, number, arrivals, now())?;
            let saw = self.gate.saw.lock();
            for arrival in arrivals {
                state.delivers(&token, number, (arrival, saw.get(arrival.place).map(String::as_str)));
            }
            drop(saw);
            state.promotes(old.as_ref(), &token, number, &self.gate.looks.lock());
            Ok(token)
        };
        let about = About::of(Step::Promote, token, number);
        self.ask(arrivals.iter().fold(about, |about, arrival| about.at(arrival.place)), promote).await
    }

    async fn retire(&self, token: &Token, number: u32, look: Look, force: bool) -> Result<Token, ServiceError> {
        let retire = |state: &mut State| {
            let token = state.service.retire(token, number, (look, force), now())?;
            state.retires(&token, number);
            state.check_overlap(&token.id);
            Ok(token)
        };
        self.ask(About::of(Step::Retire, token, number), retire).await
    }

    async fn end_leaving(&self, token: &Token, look: Look) -> Result<Token, ServiceError> {
        self.ask(About::of(Step::End, token, 0), |state| state.service.end_leaving(token, look, now())).await
    }

    async fn forget(
        &self,
        token: &Token,
        place: &PlaceId,
        looked_at: Option<Timestamp>,
    ) -> Result<Token, ServiceError> {
        let forget = |state: &mut State| state.service.forget(token, (place, looked_at), now());
        self.ask(About::of(Step::Forget, token, 0).at(place), forget).await
    }
}
