//! A small oracle of the service: the real rules of `latchkey::protocol` on records in memory, without a table. What it
//! answers is held equal to the real service by `agreement`. A guard of the service can be taken out of it.

mod mistake;
mod versions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use latchkey::entropy::{Entropy, EntropyError};
use latchkey::name::{ManifestName, RoleName, UserName};
use latchkey::place::PlaceId;
use latchkey::protocol::{LOOK_MAX, Look, VersionError};
use latchkey::role::Permissions;
use latchkey::secret::{Prefix, Secret, TokenId};
use latchkey::service::{Edit, Forget, Issued, Life, NewToken, Origin, Role, UserChange};
use latchkey::token::{EndState, Ended, Token, TokenKey, TokenState, VersionState};
use latchkey::user::{User, UserKind};
use provisioner::service::ServiceError;

pub(crate) use mistake::Mistake;

/// Bytes that follow from a count.
#[derive(Debug)]
struct Counted(latchkey::mutex::Mutex<u64>);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock();
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) active: BTreeMap<TokenKey, Token>,
    pub(crate) ended: Vec<Token>,
    pub(crate) roles: BTreeMap<RoleName, Role>,
    pub(crate) users: BTreeMap<UserName, User>,
    /// How many secrets and ids were made: no two are alike.
    pub(crate) minted: u64,
    pub(crate) mistake: Option<Mistake>,
}

fn gone() -> ServiceError {
    ServiceError::Gone("there is no such token, or another".to_owned())
}

impl Oracle {
    fn wrong(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    fn entropy(&mut self) -> Counted {
        self.minted += 1;
        Counted(latchkey::mutex::Mutex::new(self.minted.wrapping_mul(0xd6e8_feb8_6659_fd93)))
    }

    /// A record as a mistake lets it be seen.
    fn shown(&self, token: &Token) -> Token {
        let mut token = token.clone();
        if self.wrong(Mistake::OnlyDeclaredPlaces) {
            token.places.retain(|_, record| record.declared);
        }
        token
    }

    pub(crate) fn managed_tokens(&self, manifest: &ManifestName) -> Vec<Token> {
        let managed = self.active.values().filter(|token| token.managed_by.as_ref() == Some(manifest));
        managed.map(|token| self.shown(token)).collect()
    }

    pub(crate) fn holders(&self, wanted: &[TokenKey]) -> Vec<Token> {
        wanted.iter().filter_map(|key| self.active.get(key)).map(|token| self.shown(token)).collect()
    }

    pub(crate) fn origins(&self, ids: &[TokenId]) -> Vec<Origin> {
        let origin = |token: &Token| Origin {
            id: token.id.clone(),
            user: token.user.clone(),
            name: token.name.clone(),
            managed_by: token.managed_by.clone(),
            ended: token.ended.is_some(),
            fingerprints: if token.ended.is_some() {
                let versions = token.versions.iter().map(latchkey::token::Version::fingerprint);
                versions.chain(token.retired.iter().map(|retired| retired.fingerprint.clone())).collect()
            } else {
                Vec::new()
            },
        };
        let all = self.active.values().chain(&self.ended).filter(|token| ids.contains(&token.id));
        all.map(origin).collect()
    }

    pub(crate) fn put_role(
        &mut self,
        name: &RoleName,
        permissions: &Permissions,
        manifest: Option<&ManifestName>,
    ) -> Role {
        let managed_by = manifest.cloned();
        let role = Role {
            name: name.clone(),
            permissions: permissions.clone(),
            holders: 0,
            managed_by,
            moved_to: None,
            revision: 1,
        };
        self.roles.insert(name.clone(), role.clone());
        role
    }

    pub(crate) fn put_user(&mut self, name: &UserName, change: &UserChange, now: Timestamp) -> User {
        let user = self.users.entry(name.clone()).or_insert_with(|| User {
            name: name.clone(),
            kind: change.kind.unwrap_or(UserKind::Person),
            roles: Vec::new(),
            suspended: false,
            suspended_at: None,
            suspended_by: None,
            max_tokens: None,
            active: 0,
            email: None,
            managed_by: None,
            moved_to: None,
            created: now,
            former: None,
            sweeping: false,
            losing: Vec::new(),
            revision: 0,
        });
        if let Some(roles) = &change.roles {
            user.roles.clone_from(roles);
        }
        user.max_tokens = change.max_tokens.unwrap_or(user.max_tokens);
        user.managed_by = change.managed_by.clone().or(user.managed_by.take());
        user.revision += 1;
        user.clone()
    }

    pub(crate) fn create(&mut self, new: NewToken, now: Timestamp) -> Result<Issued, ServiceError> {
        let Life::Managed { manifest, terms } = new.life else { panic!("runs make tokens of manifests") };
        let key = new.key;
        if !self.users.contains_key(&key.user) {
            return Err(ServiceError::refused("unknown_user", "there is no such user"));
        }
        if let Some(holder) = self.active.get(&key) {
            if holder.state(now) != TokenState::Expired {
                return Err(ServiceError::refused("name_taken", "the name is taken"));
            }
            self.end(&key, EndState::Expired, now);
        }
        let entropy = self.entropy();
        let id = TokenId::mint(&entropy).unwrap();
        let secret = Secret::mint(&Prefix::default(), &id, &entropy).unwrap();
        let mut token = Token::new(id, key.clone(), "operator:test", now);
        token.description = new.description;
        token.roles = new.roles.expect("runs name the roles");
        token.labels = new.labels;
        token.allowed_ips = new.allowed_ips;
        token.managed_by = Some(manifest);
        token.terms = Some(terms);
        token.declare_places(&new.places)?;
        token.stage(secret.digest(), now)?;
        if let Some(user) = self.users.get_mut(&token.user) {
            user.active += 1;
        }
        self.active.insert(key, token.clone());
        Ok(Issued { number: 1, token, secret })
    }

    /// Loads a record, applies a rule to it and saves it.
    fn change<T>(
        &mut self,
        token: &Token,
        revision: Option<u64>,
        rule: impl FnOnce(&mut Token) -> Result<T, ServiceError>,
    ) -> Result<(Token, T), ServiceError> {
        let by_name = self.wrong(Mistake::NameUsedAgain);
        let old = self.active.get_mut(&token.key()).ok_or_else(gone)?;
        let same = (by_name || old.id == token.id) && revision.is_none_or(|revision| revision == old.revision);
        if !same {
            return Err(gone());
        }
        let mut new = old.clone();
        let answer = rule(&mut new)?;
        if new != *old {
            new.revision += 1;
            *old = new.clone();
        }
        Ok((new, answer))
    }

    pub(crate) fn edit(&mut self, token: &Token, edit: &Edit, now: Timestamp) -> Result<Token, ServiceError> {
        let to = TokenKey::new(token.user.clone(), edit.name.clone().unwrap_or_else(|| token.name.clone()));
        if let Some(holder) = self.active.get(&to).filter(|_| to.name != token.name) {
            if holder.state(now) != TokenState::Expired {
                return Err(ServiceError::refused("name_taken", "the name is taken"));
            }
            self.end(&to, EndState::Expired, now);
        }
        let edited = self.change(token, None, |token| apply(token, edit, now))?.0;
        if to.name != token.name {
            self.active.remove(&token.key());
            self.active.insert(to, edited.clone());
        }
        Ok(edited)
    }

    pub(crate) fn forget(
        &mut self,
        token: &Token,
        (place, looked_at): (&PlaceId, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<Token, ServiceError> {
        let mistake = self.mistake;
        let revision = Some(token.revision).filter(|_| mistake != Some(Mistake::ForgetChanged));
        let forgotten = self.change(token, revision, |token| {
            if mistake == Some(Mistake::ForgetNotQuiet) {
                for version in &mut token.versions {
                    version.deliveries.remove(place);
                }
            }
            if mistake == Some(Mistake::ForgetDeclared) {
                token.places.get_mut(place).into_iter().for_each(|record| record.declared = false);
            }
            let looked_at = looked_at.filter(|_| mistake != Some(Mistake::ForgetOnOldLook));
            Ok(token.forget_place(place, looked_at, now)?)
        })?;
        Ok(forgotten.0)
    }

    pub(crate) fn end_leaving(&mut self, token: &Token, look: Look, now: Timestamp) -> Result<Token, ServiceError> {
        let key = token.key();
        let held = self.active.get(&key).filter(|held| held.id == token.id).ok_or_else(gone)?;
        let same = self.wrong(Mistake::EndTokenChanged) || held.revision == look.revision && held.leaving.is_some();
        let fresh = same && look.at <= now && LOOK_MAX.after(look.at) >= now;
        if !fresh {
            return Err(VersionError::StaleLook.into());
        }
        let quiet = held.quiet_everywhere_from().filter(|until| look.at < *until);
        if let Some(until) = quiet.filter(|_| !self.wrong(Mistake::EndTokenNotQuiet)) {
            return Err(VersionError::Announced { number: held.highest, until }.into());
        }
        Ok(self.end(&key, EndState::Deleted, now))
    }

    /// A person deletes a token.
    pub(crate) fn delete(&mut self, key: &TokenKey, now: Timestamp) -> Option<Token> {
        self.active.contains_key(key).then(|| self.end(key, EndState::Deleted, now))
    }

    fn end(&mut self, key: &TokenKey, state: EndState, now: Timestamp) -> Token {
        let mut token = self.active.remove(key).unwrap();
        token.ended = Some(Ended { state, at: now, by: Some("operator:test".to_owned()) });
        token.revision += 1;
        if let Some(user) = self.users.get_mut(&token.user) {
            user.active -= 1;
        }
        self.ended.push(token.clone());
        token
    }

    pub(crate) fn confirm(&self, token: &Token, secret: &Secret, now: Timestamp) -> Option<u32> {
        let digest = secret.digest();
        let held = self.active.get(&token.key()).filter(|held| held.id == token.id)?;
        held.version_with(&digest, now)
    }

    /// Notes a use of a version.
    pub(crate) fn note_use(&mut self, id: &TokenId, number: u32, now: Timestamp) {
        let Some(token) = self.active.values_mut().find(|token| token.id == *id) else { return };
        let used = latchkey::token::Use { first: now, last: now, ip: None };
        token.uses.entry(number.to_string()).or_insert(used).last = now;
    }

    /// Whether a version works.
    pub(crate) fn works(&self, id: &TokenId, number: u32, now: Timestamp) -> bool {
        let token = self.active.values().find(|token| token.id == *id);
        token.is_some_and(|token| token.version(number).is_some_and(|version| token.deadline(version) > now))
    }

    /// The number of the current version.
    pub(crate) fn current(&self, id: &TokenId) -> Option<u32> {
        let token = self.active.values().find(|token| token.id == *id)?;
        token.versions.iter().rfind(|version| version.state == VersionState::Current).map(|version| version.number)
    }
}

fn apply(token: &mut Token, edit: &Edit, now: Timestamp) -> Result<(), ServiceError> {
    if let Some(manifest) = &edit.managed_by {
        token.managed_by = Some(manifest.clone());
    }
    if let Some(name) = &edit.name {
        token.name = name.clone();
    }
    if let Some(description) = &edit.description {
        token.description = Some(description.clone()).filter(|text| !text.is_empty());
    }
    if let Some(roles) = &edit.roles {
        token.roles.clone_from(roles);
    }
    if let Some(labels) = &edit.labels {
        token.labels = labels.clone();
    }
    if let Some(terms) = edit.terms {
        token.terms = Some(terms);
    }
    if let Some(places) = &edit.places {
        token.declare_places(places)?;
    }
    if let Some(Forget { place, looked_at }) = &edit.forget {
        token.forget_place(place, *looked_at, now)?;
    }
    if let Some(leaving) = edit.leaving {
        token.leaving = leaving.then(|| token.leaving.unwrap_or(now));
    }
    Ok(())
}
