//! Announcing: what is about to be written of a token, in one change where it goes to several places.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use latchkey::place::PlaceId;
use latchkey::protocol::WRITE_BEFORE;

use super::Run;
use super::deliver::Push;

/// Announces the pushes that are not announced, or whose time has half run out.
pub(super) async fn announce<'a, 'p: 'a>(run: &Run<'_>, pushes: impl Iterator<Item = &'a mut Push<'p>>) {
    announce_from(run, pushes, 1).await;
}

/// Announces in advance where that saves requests: the pushes of tokens that go to several places.
pub(super) async fn announce_ahead<'a, 'p: 'a>(run: &Run<'_>, pushes: impl Iterator<Item = &'a mut Push<'p>>) {
    if !run.stopped() {
        announce_from(run, pushes, 2).await;
    }
}

async fn announce_from<'a, 'p: 'a>(run: &Run<'_>, pushes: impl Iterator<Item = &'a mut Push<'p>>, least: usize) {
    let mut tokens: BTreeMap<usize, Vec<&'a mut Push<'p>>> = BTreeMap::new();
    for push in pushes.filter(|push| !is_announced(push)) {
        tokens.entry(push.work).or_default().push(push);
    }
    let announcing = tokens.into_values().filter(|pushes| pushes.len() >= least).map(|pushes| async move {
        let places: Vec<PlaceId> = pushes.iter().map(|push| push.place.id()).collect();
        let Some(first) = pushes.first() else { return };
        let granted = run.client.announce(first.token, first.number, &places).await;
        for push in pushes {
            push.granted = Some(granted.clone());
        }
    });
    join_all(announcing).await;
}

/// Whether a push may still be written by what was announced in advance, or is known to be refused.
fn is_announced(push: &Push<'_>) -> bool {
    match &push.granted {
        Some(Ok(announced)) => announced.write_before.left() >= Duration::from_secs(WRITE_BEFORE.0 / 2),
        Some(Err(_)) => true,
        None => false,
    }
}
