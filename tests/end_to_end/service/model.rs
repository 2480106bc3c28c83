//! Random operations on roles, users and tokens, compared with a simple model after each.

use std::collections::{BTreeMap, BTreeSet};

use latchkey::lifetime::Seconds;
use latchkey::name::RoleName;
use latchkey::secret::Secret;
use latchkey::service::{CreateError, Invalid, Life, NewToken, RoleError, UserChange, UserError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::engine::Engine;
use tests::world::{World, key, name, new_token};

const ROLES: [&str; 3] = ["auditor", "reader", "writer"];
const USERS: [&str; 3] = ["ana", "ben", "cleo"];
const QUOTA: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    PutRole(usize),
    DeleteRole(usize),
    PutUser(usize, BTreeSet<usize>, bool),
    DeleteUser(usize),
    Create { user: usize, token: usize, roles: Option<BTreeSet<usize>>, hours: u64 },
    Delete { user: usize, token: usize },
    Rename { user: usize, token: usize, to: usize },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let roles = || proptest::collection::btree_set(0..ROLES.len(), 0..=ROLES.len());
    prop_oneof![
        2 => (0..ROLES.len()).prop_map(Step::PutRole),
        1 => (0..ROLES.len()).prop_map(Step::DeleteRole),
        4 => (0..USERS.len(), roles(), prop::bool::weighted(0.2))
            .prop_map(|(user, roles, suspended)| Step::PutUser(user, roles, suspended)),
        1 => (0..USERS.len()).prop_map(Step::DeleteUser),
        6 => (0..USERS.len(), 0..5_usize, proptest::option::of(roles()), 1..72_u64)
            .prop_map(|(user, token, roles, hours)| Step::Create { user, token, roles, hours }),
        2 => (0..USERS.len(), 0..5_usize).prop_map(|(user, token)| Step::Delete { user, token }),
        2 => (0..USERS.len(), 0..5_usize, 0..5_usize).prop_map(|(user, token, to)| Step::Rename { user, token, to }),
        1 => (1..40_u64).prop_map(Step::Wait),
    ]
}

#[derive(Debug, Default)]
struct ModelUser {
    roles: BTreeSet<usize>,
    suspended: bool,
    tokens: BTreeMap<usize, ModelToken>,
}

#[derive(Debug)]
struct ModelToken {
    roles: BTreeSet<usize>,
    ends: u64,
    secret: Secret,
}

#[derive(Debug, Default)]
struct Model {
    hours: u64,
    roles: BTreeSet<usize>,
    users: BTreeMap<usize, ModelUser>,
    /// Secrets of ended tokens, and why they are not valid.
    ended: Vec<(Secret, Invalid)>,
}

impl Model {
    fn holders(&self, role: usize) -> usize {
        self.users.values().filter(|user| user.roles.contains(&role)).count()
    }
}

fn named(roles: &BTreeSet<usize>) -> Vec<RoleName> {
    roles.iter().map(|role| name(ROLES[*role])).collect()
}

async fn act(world: &World, model: &mut Model, step: Step) {
    let (service, admin) = (&world.service, &world.admin);
    let now = model.hours;
    match step {
        Step::Wait(hours) => {
            world.clock.advance(Seconds::hours(hours));
            model.hours += hours;
        }
        Step::PutRole(role) => {
            world.role(ROLES[role], &[&format!("documents:{}", ROLES[role])]).await;
            model.roles.insert(role);
        }
        Step::DeleteRole(role) => {
            let holders = model.holders(role);
            match service.delete_role(admin, &name(ROLES[role])).await {
                Ok(()) => assert!(holders == 0 && model.roles.remove(&role)),
                Err(RoleError::InUse { holders: told, .. }) => assert!(told as usize == holders && holders > 0),
                Err(RoleError::NoSuchRole(_)) => assert!(!model.roles.contains(&role)),
                Err(error) => panic!("{error}"),
            }
        }
        Step::PutUser(user, roles, suspended) => {
            let change = UserChange {
                roles: Some(named(&roles)),
                suspended: Some(suspended),
                max_tokens: Some(Some(QUOTA)),
                ..UserChange::default()
            };
            match service.put_user(admin, &name(USERS[user]), &change).await {
                Ok(_) => {
                    assert!(roles.is_subset(&model.roles));
                    let held = model.users.entry(user).or_default();
                    for token in held.tokens.values_mut() {
                        token.roles.retain(|role| roles.contains(role));
                    }
                    (held.roles, held.suspended) = (roles, suspended);
                }
                Err(UserError::NoSuchRole(_)) => assert!(!roles.is_subset(&model.roles)),
                Err(error) => panic!("{error}"),
            }
        }
        Step::DeleteUser(user) => {
            let alive = |held: &ModelUser| held.tokens.values().any(|token| token.ends > now);
            match service.delete_user(admin, &name(USERS[user])).await {
                Ok(()) => {
                    let gone = model.users.remove(&user).expect("a user");
                    assert!(!alive(&gone));
                    model.ended.extend(gone.tokens.into_values().map(|token| (token.secret, Invalid::Expired)));
                }
                Err(UserError::InUse { .. }) => assert!(alive(&model.users[&user])),
                Err(UserError::NoSuchUser(_)) => assert!(!model.users.contains_key(&user)),
                Err(error) => panic!("{error}"),
            }
        }
        Step::Create { user, token, roles, hours } => {
            let life = Life::Until(Some(Seconds::hours(hours).after(world.now())));
            let wanted = roles.as_ref().map(named);
            let new = NewToken { roles: wanted, life, ..new_token(USERS[user], &format!("token-{token}")) };
            let made = service.create(admin, new).await;
            let Some(held) = model.users.get_mut(&user) else {
                return assert!(matches!(made, Err(CreateError::NoSuchUser(_))));
            };
            let alive = held.tokens.values().filter(|token| token.ends > now).count();
            let taken = held.tokens.get(&token).is_some_and(|token| token.ends > now);
            match made {
                Ok(made) => {
                    assert!(!held.suspended && !taken && alive < QUOTA as usize);
                    let roles = roles.unwrap_or_else(|| held.roles.clone());
                    assert!(roles.is_subset(&held.roles));
                    let fresh = ModelToken { roles, ends: now + hours, secret: made.secret };
                    let old = held.tokens.insert(token, fresh);
                    model.ended.extend(old.map(|old| (old.secret, Invalid::Expired)));
                }
                Err(CreateError::Suspended(_)) => assert!(held.suspended),
                Err(CreateError::RoleNotHeld { .. }) => assert!(!roles.unwrap().is_subset(&held.roles)),
                Err(CreateError::NameTaken { .. }) => assert!(taken),
                Err(CreateError::LimitReached { .. }) => assert_eq!(alive, QUOTA as usize),
                Err(error) => panic!("{error}"),
            }
        }
        Step::Delete { user, token } => {
            let gone = service.delete(admin, &key(USERS[user], &format!("token-{token}")), None).await;
            let held = model.users.get_mut(&user).and_then(|held| held.tokens.remove(&token));
            assert_eq!(gone.is_ok(), held.as_ref().is_some_and(|held| held.ends > now));
            let why = if gone.is_ok() { Invalid::Deleted } else { Invalid::Expired };
            model.ended.extend(held.map(|held| (held.secret, why)));
        }
        Step::Rename { user, token, to } => {
            let edit = latchkey::service::Edit { name: Some(name(&format!("token-{to}"))), ..Default::default() };
            let key = &key(USERS[user], &format!("token-{token}"));
            let renamed = service.edit(admin, key, None, None, &edit).await;
            let Some(held) = model.users.get_mut(&user) else { return assert!(renamed.is_err()) };
            let alive = |number: usize| held.tokens.get(&number).is_some_and(|token| token.ends > now);
            assert_eq!(renamed.is_ok(), alive(token) && (token == to || !alive(to)));
            if renamed.is_ok() {
                let moved = held.tokens.remove(&token).unwrap();
                let old = held.tokens.insert(to, moved);
                model.ended.extend(old.map(|old| (old.secret, Invalid::Expired)));
            }
        }
    }
}

async fn compare(world: &World, model: &Model) {
    for (role, text) in ROLES.into_iter().enumerate() {
        let found = world.service.role(&name(text)).await.unwrap();
        assert_eq!(found.is_some(), model.roles.contains(&role));
        if let Some(found) = found {
            assert_eq!(found.holders as usize, model.holders(role), "holders of {text}");
        }
    }
    for (user, text) in USERS.into_iter().enumerate() {
        let found = world.service.user(&name(text)).await.unwrap();
        let Some(held) = model.users.get(&user) else {
            assert_eq!(found, None);
            continue;
        };
        let found = found.expect("a user");
        assert_eq!((found.roles, found.suspended, found.sweeping), (named(&held.roles), held.suspended, false));
        let listed = world.service.list_active(&name(text), 100, None).await.unwrap().tokens;
        assert_eq!(found.active as usize, listed.len(), "the count is that of the records");
        let now = world.now();
        let alive = listed.iter().filter(|token| token.state(now) == latchkey::token::TokenState::Active).count();
        assert_eq!(alive, held.tokens.values().filter(|token| token.ends > model.hours).count());
        for token in held.tokens.values() {
            let verdict = world.service.verify(token.secret.expose(), None).await.unwrap();
            match verdict {
                latchkey::service::Verdict::Valid(valid) => {
                    assert!(!held.suspended && token.ends > model.hours);
                    assert_eq!(valid.roles, named(&token.roles));
                    assert_eq!(valid.permissions.len(), token.roles.len());
                }
                latchkey::service::Verdict::Invalid(Invalid::Suspended) => assert!(held.suspended),
                latchkey::service::Verdict::Invalid(why) => {
                    assert_eq!(why, Invalid::Expired);
                    assert!(token.ends <= model.hours);
                }
            }
        }
    }
    for (secret, why) in &model.ended {
        assert_eq!(world.invalid(secret.expose()).await, Some(*why));
    }
}

#[test]
fn the_service_does_what_a_simple_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..25);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let world = World::on(Engine::Sqlite).await;
            let mut model = Model::default();
            // So that most sequences get somewhere.
            for role in 0..2 {
                act(&world, &mut model, Step::PutRole(role)).await;
            }
            act(&world, &mut model, Step::PutUser(0, BTreeSet::from([0, 1]), false)).await;
            for step in steps {
                act(&world, &mut model, step).await;
                compare(&world, &model).await;
            }
        });
        Ok(())
    });
    run.unwrap();
}
