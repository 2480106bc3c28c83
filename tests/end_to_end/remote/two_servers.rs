//! Two servers of a team behind a balancer: each answers from the one table in DynamoDB.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::remote::Served;

use super::table::Elsewhere;

struct Team {
    there: Elsewhere,
    servers: [Served; 2],
    admin: String,
}

impl Team {
    async fn start() -> Self {
        let there = Elsewhere::start("latchkey").await;
        let admin = there.run("bootstrap --user root --service table:latchkey").exits(0).stdout.trim().to_owned();
        let serve = || there.serve("--service table:latchkey --port 0");
        let servers = [serve(), serve()];
        Self { there, servers, admin }
    }

    fn callers(&self) -> [Client; 2] {
        [0, 1].map(|at| Client::of(self.servers[at].url(), &self.admin))
    }
}

async fn introspect(client: &mut Client, secret: &str) -> Value {
    let (status, answer) = client.ask("POST", "/v1/introspect", Some(&json!({"token": secret}))).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_of_one_table_agree_about_a_token_at_the_next_request() {
    let team = Team::start().await;
    team.there.run("role set reader -p documents:read --service table:latchkey").exits(0);
    team.there.run("user set app --role reader --service table:latchkey").exits(0);
    let mut callers = team.callers();
    for round in 0..6 {
        let (here, there) = (round % 2, (round + 1) % 2);
        let name = format!("worker-{round}");
        let body = json!({"name": name, "roles": ["reader"]});
        let (status, made) = callers[here].ask("POST", "/v1/users/app/tokens", Some(&body)).await;
        assert_eq!(status, 201, "{made}");
        let (id, first) = (made["token"]["id"].clone(), made["secret"].as_str().unwrap().to_owned());
        let seen = introspect(&mut callers[there], &first).await;
        assert_eq!(seen["active"], true, "{seen}");
        // A second version from the one, and an edit from the other.
        let path = format!("/v1/users/app/tokens/{name}");
        let (status, staged) = callers[there].ask("POST", &format!("{path}/versions"), Some(&json!({"id": id}))).await;
        assert_eq!(status, 201, "{staged}");
        let second = staged["secret"].as_str().unwrap().to_owned();
        assert_eq!(introspect(&mut callers[here], &second).await["active"], true);
        let id = id.as_str().unwrap();
        let (status, answer) = callers[here].ask("DELETE", &format!("{path}?id={id}"), None).await;
        assert_eq!(status, 204, "{answer}");
        for caller in &mut callers {
            for secret in [&first, &second] {
                assert_eq!(introspect(caller, secret).await, json!({"active": false}));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_loses_at_one_server_is_lost_at_the_other_within_five_seconds() {
    let team = Team::start().await;
    team.there.run("role set reader -p documents:read,documents:write --service table:latchkey").exits(0);
    team.there.run("user set app --role reader --service table:latchkey").exits(0);
    let made = team.there.run("token create worker --user app --service table:latchkey").exits(0);
    let secret = made.stdout.trim();
    let mut callers = team.callers();
    let both = json!(["documents:read", "documents:write"]);
    for caller in &mut callers {
        assert_eq!(introspect(caller, secret).await["permissions"], both);
    }
    let body = json!({"permissions": ["documents:read"]});
    let (status, answer) = callers[0].ask("PUT", "/v1/roles/reader", Some(&body)).await;
    assert!(status / 100 == 2, "{status}: {answer}");
    let changed = Instant::now();
    let mut seen;
    loop {
        let asked = Instant::now();
        seen = introspect(&mut callers[1], secret).await["permissions"].clone();
        if seen != both {
            break;
        }
        assert!(asked - changed <= Duration::from_secs(5), "the other server still allows what was taken away");
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, json!(["documents:read"]));
}
