//! The functions' own binaries, as Lambda runs them.

mod authorize;
mod contract;
mod ending;
mod handlers;
mod log;
mod rotate;
mod start;
mod trust;
mod turns;

use latchkey::name::RoleName;
use latchkey::service::{Caller, Issued, UserChange, Valid, Verdict};
use tests::lambda::{Endpoint, Function};
use tests::world::{name, new_token, permissions};

const ALL: [&str; 8] = ["create", "list", "delete", "roles", "versions", "manifests", "introspect", "authorize"];

fn function(name: &str, endpoint: &Endpoint) -> Function {
    Function::new(name, endpoint.table, &endpoint.url)
}

fn admin() -> Caller {
    Caller::operator("admin")
}

/// A token of `ana`, who may read and write documents.
async fn token(endpoint: &Endpoint) -> Issued {
    let service = &endpoint.service;
    let permits = permissions(&["documents:read", "documents:write"]);
    service.put_role(&admin(), &name("writer"), &permits, None).await.unwrap();
    let roles: Vec<RoleName> = vec![name("writer")];
    let change = UserChange { roles: Some(roles), ..UserChange::default() };
    service.put_user(&admin(), &name("ana"), &change).await.unwrap();
    service.create(&admin(), new_token("ana", "laptop")).await.unwrap()
}

/// Who a secret is, as the table says at this moment.
async fn valid(endpoint: &Endpoint, secret: &str) -> Valid {
    match endpoint.service.verify(secret, None).await.unwrap() {
        Verdict::Valid(valid) => *valid,
        Verdict::Invalid(why) => panic!("not valid: {why}"),
    }
}

/// How often a token was used this month, as the table says.
async fn uses(endpoint: &Endpoint, created: &Issued) -> u64 {
    let days = endpoint.service.usage(&created.token.id, endpoint.service.now()).await.unwrap();
    days.iter().map(|day| day.uses).sum()
}
