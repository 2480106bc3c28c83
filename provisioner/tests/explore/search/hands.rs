//! What people and consumers do.

use latchkey::place::PlaceId;

use super::{Play, Search};
use crate::world::{MINUTE, State, Which, now};

/// What a person does to an entry, or a consumer with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    /// Puts an older version back that still works.
    RollBack(usize),
    /// Puts one back as the vendor's console does: by its value alone, which tells nothing where values are not read.
    Paste(usize),
    /// Writes something else over ours.
    Edit(usize),
    Remove(usize),
    /// Writes where nothing of ours has been.
    Foreign(usize),
    /// The same where no sink compares, a quarter of an hour before anything else happens.
    ForeignBefore(usize),
    /// Puts a version back where nothing is.
    PutBack(usize),
    /// Deletes the token.
    DeleteToken,
    /// A consumer uses an older version.
    Use,
    /// Consumers get their deployment.
    Deploy,
    /// Those of the second branch do, and no others.
    DeployBranch,
    /// A person takes the first branch back to a deployment that reads an older version.
    TakeBack(usize),
    /// A person takes AWSPENDING off.
    Unlabel,
    /// A person puts something of their own under it.
    Junk,
}

impl Play {
    pub(super) fn hand(&mut self, search: &Search<'_>, hand: Hand) {
        let mut state = self.world.state();
        let entry = search.job.scenario.entry();
        let id = |state: &State, index: usize| state.place(search.names[index], entry).id();
        match hand {
            Hand::RollBack(index) => {
                let place = id(&state, index);
                if let Some(value) = older(&state, &place) {
                    state.put(&place, &value, true);
                }
            }
            Hand::Paste(index) => {
                let place = id(&state, index);
                if let Some(value) = older(&state, &place) {
                    state.put(&place, &value, false);
                    // Whoever puts it back has it deployed.
                    if let Some(read) = state.read.get_mut(&place) {
                        *read = [value.clone(), value];
                    }
                }
            }
            Hand::Edit(index) => {
                let place = id(&state, index);
                state.put(&place, "edited", false);
                // Whoever edits an entry has it deployed.
                if let Some(read) = state.read.get_mut(&place) {
                    *read = ["edited".to_owned(), "edited".to_owned()];
                }
            }
            Hand::Remove(index) => {
                let place = id(&state, index);
                state.remove(&place);
                state.read.remove(&place);
            }
            Hand::PutBack(index) => {
                let place = id(&state, index);
                if let Some(value) = last_there(&state, &place) {
                    state.put(&place, &value, true);
                }
            }
            Hand::ForeignBefore(index) => {
                let place = id(&state, index);
                state.foreign(&place);
                self.foreign = true;
                state.pass(16 * MINUTE);
            }
            Hand::Foreign(index) => {
                let place = id(&state, index);
                state.foreign(&place);
                self.foreign = true;
            }
            Hand::DeleteToken => {
                let key = state.service.active.keys().next().cloned();
                if let Some(key) = key {
                    state.delete(&key);
                }
            }
            Hand::Use => state.use_older(),
            Hand::Deploy => state.deploy(),
            Hand::DeployBranch => state.deploy_branch(1),
            Hand::Unlabel | Hand::Junk => {
                let pends =
                    state.rotated.iter().find_map(|(place, labels)| Some((place.clone(), labels.unfinished()?)));
                if let Some((place, version)) = pends {
                    match hand {
                        Hand::Junk => drop(state.put_pending(&place, version, "junk")),
                        _ => state.end_pending(&place, version),
                    }
                }
            }
            Hand::TakeBack(index) => {
                let place = id(&state, index);
                if let Some(value) = state.former(&place) {
                    state.read.get_mut(&place).unwrap()[0] = value;
                }
            }
        }
        state.check_places("a person's hand");
    }
}

/// The newest version that was in a place and still works, of a token that has not forgotten the place.
pub(super) fn last_there(state: &State, place: &PlaceId) -> Option<String> {
    let now = now();
    let works = |(_, which): &(&String, &Which)| {
        state.been.contains(&(place.clone(), (*which).clone()))
            && state.service.works(&which.0, which.1, now)
            && state.is_recorded(&which.0, place)
    };
    state.values.iter().filter(works).max_by_key(|(_, which)| which.1).map(|(value, _)| value.clone())
}

/// An older version than the place holds, that still works.
pub(crate) fn older(state: &State, place: &PlaceId) -> Option<String> {
    let (id, held) = state.values.get(&state.places.get(place)?.value)?;
    let now = now();
    let older = state
        .values
        .iter()
        .filter(|(_, (of, number))| of == id && number < held && state.service.works(of, *number, now));
    // One that consumers had, not one that never went anywhere.
    let been = |(_, which): &(&String, &Which)| state.promises.get(*which).is_some_and(|promise| promise.promoted);
    older.filter(been).map(|(value, _)| value.clone()).next()
}
