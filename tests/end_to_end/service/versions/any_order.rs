//! After any sequence of steps a check of each secret says what the record says.

use latchkey::lifetime::Seconds;
use latchkey::place::Place;
use latchkey::service::{Edit, Invalid};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::engine::Engine;
use tests::world::World;

use super::{Deploy, dotenv};

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Stage,
    Announce(u32, usize),
    Deliver(u32, usize),
    Promote(u32),
    Retire(u32, bool),
    Use(u32),
    Declare(usize),
}

fn step() -> impl Strategy<Value = Step> {
    // Numbers count back from the newest version.
    prop_oneof![
        3 => prop_oneof![1..900_u64, 3_000..7_300_u64, Just(86_400_u64), 86_400 * 20..86_400 * 40_u64].prop_map(Step::Wait),
        3 => Just(Step::Stage),
        4 => (0..2_u32, 0..2_usize).prop_map(|(back, place)| Step::Announce(back, place)),
        4 => (0..3_u32, 0..2_usize).prop_map(|(back, place)| Step::Deliver(back, place)),
        4 => (0..3_u32).prop_map(Step::Promote),
        3 => (0..4_u32, any::<bool>()).prop_map(|(back, force)| Step::Retire(back, force)),
        2 => (0..4_u32).prop_map(Step::Use),
        1 => (0..3_usize).prop_map(Step::Declare),
    ]
}

#[test]
fn checks_agree_with_the_record_after_every_operation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..40);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let all = [dotenv("a"), Place::new("vercel", &[("name", "b")], false)];
            let mut deploy = Deploy::on(World::on(Engine::Sqlite).await, &all).await;
            for step in steps {
                let back = |back: u32| u32::try_from(deploy.secrets.len()).unwrap().saturating_sub(back).max(1);
                match step {
                    Step::Wait(seconds) => deploy.world.clock.advance(Seconds(seconds)),
                    Step::Stage => drop(deploy.stage().await),
                    Step::Announce(number, place) => {
                        drop(deploy.announce(back(number), &deploy.places[place]).await);
                    }
                    Step::Deliver(number, place) => {
                        drop(deploy.deliver(back(number), &deploy.places[place]).await);
                    }
                    Step::Promote(number) => drop(deploy.promote(back(number)).await),
                    Step::Retire(number, force) => drop(deploy.retire(back(number), force).await),
                    Step::Use(number) => {
                        let secret = deploy.secrets[back(number) as usize - 1].expose();
                        let verdict = deploy.world.service.verify(secret, None).await.unwrap();
                        if let latchkey::service::Verdict::Valid(valid) = verdict {
                            deploy.world.service.note_use(&valid, None).await.unwrap();
                        }
                    }
                    Step::Declare(count) => {
                        let edit = Edit { places: Some(all[..count].to_vec()), ..Edit::default() };
                        let (service, admin) = (&deploy.world.service, &deploy.world.admin);
                        service.edit(admin, &deploy.token.key, None, None, &edit).await.unwrap();
                    }
                }
                let (token, now) = (deploy.token().await, deploy.world.now());
                for (number, secret) in (1..).zip(&deploy.secrets) {
                    let wanted = match token.version(number) {
                        None => Some(Invalid::Retired),
                        Some(version) if token.deadline(version) <= now => Some(Invalid::Expired),
                        Some(_) => None,
                    };
                    prop_assert_eq!(deploy.world.invalid(secret.expose()).await, wanted, "version {}", number);
                }
            }
            Ok(())
        })
    });
    run.unwrap();
}
