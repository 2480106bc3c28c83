//! The system's keyring, from the manifest to what a program reads.

use tests::provision::{Ran, World};
use tests::sinks::keyring::PrivateKeyring;

use super::{START, assert_told};

const TOKENS: &str = r#"
[sinks.desk]
type = "keyring"
service = "acme"

[tokens.build-api]
user = "ci"
push = [{ sink = "desk", name = "build token" }]
"#;

struct Desk {
    world: World,
    keyring: PrivateKeyring,
}

impl Desk {
    fn start() -> Option<Self> {
        let keyring = PrivateKeyring::start()?;
        let (start, _) = START.split_once("[sinks.dev]").unwrap();
        Some(Self { world: World::with(&format!("{start}{}", TOKENS.trim_start())), keyring })
    }

    fn run(&self, words: &str) -> Ran {
        self.world.run_in(&[("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())], words)
    }

    fn value(&self) -> Option<String> {
        self.keyring.lookup("username", "build token")
    }
}

#[test]
fn a_keyring_from_the_first_plan_to_a_prune() {
    let Some(desk) = Desk::start() else { return };
    desk.run("plan").exits(0);
    desk.run("apply").exits(0);
    let first = desk.value().unwrap();
    assert!(desk.world.is_valid(&first));
    desk.run("plan --detailed-exitcode").exits(0);
    desk.run("rotate tokens.toml build-api").exits(0);
    let second = desk.value().unwrap();
    assert!(second != first && desk.world.is_valid(&second));
    desk.keyring.store("build token", "edited-by-hand");
    desk.run("plan --detailed-exitcode").exits(2);
    desk.run("apply").exits(0);
    assert!(desk.world.is_valid(&desk.value().unwrap()));
    desk.world.edit("\"build token\"", "\"other token\"");
    desk.run("apply --prune").exits(0);
    assert_eq!(desk.value(), None);
    assert!(desk.world.is_valid(&desk.keyring.lookup("account", "other token").unwrap()));
    assert_told!(desk.world);
}

#[test]
fn an_entry_of_somebody_else_is_refused_until_it_is_adopted() {
    let Some(desk) = Desk::start() else { return };
    desk.keyring.store("build token", "somebody's own");
    desk.run("apply").exits(3);
    assert_eq!(desk.value().as_deref(), Some("somebody's own"));
    desk.world.edit("name = \"build token\" }", "name = \"build token\", adopt = true }");
    desk.run("apply").exits(0);
    assert!(desk.world.is_valid(&desk.value().unwrap()));
    assert_told!(desk.world);
}

#[test]
fn without_a_keyring_nothing_is_staged_and_it_is_said_why() {
    let Some(mut desk) = Desk::start() else { return };
    desk.world.run("plan").exits(1);
    let in_ci = [("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()), ("CI", "true")];
    desk.world.run_in(&in_ci, "plan").exits(1);
    desk.world.edit("service = \"acme\"", "service = \"acme\"\nallow_ci = true");
    desk.world.run_in(&in_ci, "plan").exits(0);
    let _ = desk.world.told();
    desk.keyring.lock();
    desk.run("apply").exits(3);
    assert_told!(desk.world);
}
