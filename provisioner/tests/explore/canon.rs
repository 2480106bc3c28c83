//! What a state is: hashed with ids and secrets named by where they stand, and with times told from now. Coarsely, for
//! counting, with times in classes; exactly, for knowing that the rest of a path is known.

use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use latchkey::secret::TokenId;
use latchkey::token::Token;

use crate::exploration::Entry;
use crate::step::About;
use crate::world::{State, instant};

/// Where a distance in time makes a difference, in seconds.
const CLASSES: [i64; 10] = [0, 60, 120, 300, 900, 3_600, 86_400, 2_592_000, 5_184_000, 7_776_000];

/// A small hasher: in a build for tests nothing inlines the one of the standard library.
#[derive(Debug, Default)]
pub(crate) struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.write_u64(word ^ (chunk.len() as u64) << 60);
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

/// Hashes a state.
pub(crate) struct Canon<'a> {
    state: &'a State,
    exact: bool,
    now: Timestamp,
    hasher: Fold,
}

impl<'a> Canon<'a> {
    fn new(state: &'a State, exact: bool) -> Self {
        Self { state, exact, now: instant(state.seconds), hasher: Fold::default() }
    }

    /// A state as it matters for what follows.
    pub(crate) fn exact(state: &'a State) -> u64 {
        let mut canon = Self::new(state, true);
        canon.world();
        canon.hasher.finish()
    }

    /// A state as it is counted: with what each run is about to do.
    pub(crate) fn counted<'b>(state: &'a State, runs: impl Iterator<Item = (bool, &'b [About])>) -> u64 {
        let mut canon = Self::new(state, false);
        canon.world();
        for (current, calls) in runs {
            canon.add(current);
            canon.add(calls.len());
            for about in calls {
                canon.add((about.step, about.hearing));
                let token = about.token.as_ref().and_then(|id| canon.token_of(id));
                canon.add(token.map(|(index, highest)| (index, highest.wrapping_sub(about.number))));
                for place in &about.places {
                    canon.add(place);
                }
            }
        }
        canon.hasher.finish()
    }

    fn add(&mut self, value: impl Hash) {
        value.hash(&mut self.hasher);
    }

    /// A token by its place among all, and its highest version.
    fn token_of(&self, id: &TokenId) -> Option<(usize, u32)> {
        let service = &self.state.service;
        let mut all = service.active.values().chain(&service.ended).enumerate();
        all.find(|(_, token)| token.id == *id).map(|(index, token)| (index, token.highest))
    }

    fn time(&mut self, at: Option<Timestamp>) {
        let seconds = at.map(|at| at.duration_since(self.now).as_secs());
        if self.exact {
            self.add(seconds);
        } else {
            self.add(seconds.map(|seconds| {
                let class = CLASSES.iter().filter(|class| seconds.abs() >= **class).count();
                (seconds < 0, class)
            }));
        }
    }

    fn world(&mut self) {
        let state = self.state;
        for token in state.service.active.values() {
            self.token(token);
        }
        self.add(state.service.ended.len());
        self.add(state.service.users.len());
        for (place, entry) in &state.places {
            self.add(place);
            self.entry(entry);
        }
        if state.sinks.values().any(|traits| traits.surveys) {
            for (place, entry) in &state.listed {
                self.add(place);
                self.entry(entry);
            }
        }
        for (place, read) in &state.read {
            self.add(place);
            for value in read {
                self.value(value);
            }
            self.add(state.former(place).is_some());
        }
        for (place, labels) in &state.rotated {
            self.add(place);
            let ago = |version: Option<u32>| version.map(|version| labels.begun - version);
            self.add((ago(labels.pending), ago(labels.current)));
            for (version, value) in &labels.values {
                self.add(ago(Some(*version)));
                self.value(value);
            }
            if self.exact {
                self.add(labels.begun);
            }
        }
        for late in &state.late {
            self.add((&late.place, late.conditional, late.lands));
            self.add(late.over == state.places.get(&late.place).map(|entry| entry.stamp));
            self.value(&late.value);
            if self.exact {
                self.add(late.until - state.seconds);
            }
        }
        self.add((&state.down, &state.refuses));
        self.add(state.foreign.len());
        let mut traits: Vec<_> = state.sinks.values().collect();
        traits.dedup_by(|_, _| false);
        self.add(traits);
        if self.exact {
            for (which, promise) in &state.promises {
                self.add(which);
                self.add(promise.promoted);
                self.time(promise.works_until);
                self.time(promise.overlap_until);
                self.time(promise.used);
            }
            self.add((&state.been, &state.excused));
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.value(&entry.value);
        self.add(entry.marked);
        if self.exact {
            self.add(entry.stamp);
        }
    }

    fn value(&mut self, value: &str) {
        let which = self.state.values.get(value);
        let named = which.and_then(|(id, number)| {
            let (index, highest) = self.token_of(id)?;
            Some((index, highest.wrapping_sub(*number), self.state.service.works(id, *number, self.now)))
        });
        self.add(named);
        if self.exact || named.is_none() {
            self.add(value);
        }
    }

    fn token(&mut self, token: &Token) {
        self.add((&token.user, &token.name));
        self.add(token.managed_by.is_some());
        self.add(token.terms.map(|terms| (terms.expires_in, terms.rotate_every, terms.overlap)));
        self.time(token.leaving);
        for version in &token.versions {
            self.add((token.highest - version.number, version.state.as_str()));
            self.time(Some(token.deadline(version)));
            self.time(version.overlap_ends);
            self.time(version.announced);
            self.time(version.promoted);
            for (place, delivery) in &version.deliveries {
                self.add(place);
                self.time(Some(delivery.announced));
                self.add((delivery.delivered.is_some(), delivery.stands, delivery.open.len()));
                if self.exact {
                    self.add(&delivery.open);
                }
            }
            self.time(token.version_last_used(version.number));
        }
        for (id, place) in &token.places {
            self.add((id, place.declared));
            self.add(place.version.map(|version| token.highest - version));
            let now = self.state.places.get(id).map(|entry| format!("r{}", entry.stamp));
            self.add(place.receipt.is_some());
            self.add(place.receipt == now);
        }
        if self.exact {
            self.add((&token.id, token.highest, token.revision, token.retired.len()));
            for place in token.places.values() {
                self.add(&place.receipt);
            }
        }
    }
}
