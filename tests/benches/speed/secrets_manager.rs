//! An apply of new tokens to Secrets Manager, beside what only creates secrets: boto3 in a loop, AWS's own command for each,
//! Ansible. All ask the same moto, which is emptied before each round.

use std::process::Command;

use tests::engines::Moto;
use tests::meter::spent;

use super::ROUNDS;
use super::applies::{Runs, manifest, run};
use super::load::{Caller, request};
use super::ours::Ours;
use super::peers::{Asked, beside};
use super::table::{Bar, Row, Table, Unit};

/// Tokens of ours, and secrets of boto3.
const TOKENS: usize = 100;
/// Secrets of those that take half a second for each.
const FEW: usize = 10;

/// What others are asked to do.
struct Other {
    about: String,
    secrets: usize,
    /// The command, from the number of a secret; one that creates all has one number.
    commands: Box<dyn Fn(&str) -> Vec<Command>>,
    /// What CPU and wall may be at most, as ratios.
    bars: [Option<Bar>; 2],
    runs: Vec<tests::meter::Spent>,
}

const LOGIN: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "tests"), ("AWS_SECRET_ACCESS_KEY", "tests"), ("AWS_EC2_METADATA_DISABLED", "true")];

pub(super) fn rows(ours: &Ours, asked: &Asked, moto: &Moto, table: &mut Table) {
    let mut others = others(asked, table);
    let url = format!("http://{}", moto.address());
    let sink = format!("type = \"aws-secrets-manager\"\nregion = \"eu-west-1\"\nendpoint = \"{url}\"\n");
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        empty(moto);
        let world = ours.world();
        world.write("tokens.toml", &manifest(TOKENS, &sink, "prod/token-"));
        first.push(run(&world, &["apply", "-q"], &LOGIN));
        again.push(run(&world, &["plan", "-q"], &LOGIN));
        for other in &mut others {
            empty(moto);
            let spent: Vec<_> = (other.commands)(&url).iter_mut().map(spent).collect();
            other.runs.push(tests::meter::Spent {
                cpu: spent.iter().map(|spent| spent.cpu).sum(),
                wall: spent.iter().map(|spent| spent.wall).sum(),
                peak: spent.iter().map(|spent| spent.peak).fold(0.0, f64::max),
            });
        }
    }
    let (first, again) = (Runs::of(&first), Runs::of(&again));
    let what = format!("first apply of {TOKENS} tokens, Secrets Manager");
    table.add(Row::new(&what, "CPU each", Unit::Seconds, first.each(TOKENS)));
    table.add(Row::new(&what, "wall", Unit::Seconds, first.wall));
    let unchanged = format!("unchanged plan of {TOKENS} tokens, Secrets Manager");
    table.add(Row::new(&unchanged, "CPU each", Unit::Seconds, again.each(TOKENS)));
    table.add(Row::new(&unchanged, "wall", Unit::Seconds, again.wall));
    for other in others {
        let runs = Runs::of(&other.runs);
        #[expect(clippy::cast_precision_loss, reason = "few secrets")]
        let scale = TOKENS as f64 / other.secrets as f64;
        let [cpu, wall] = other.bars;
        let barred = |row: Row, bar: Option<Bar>| if let Some(bar) = bar { row.bar(bar) } else { row };
        let row = Row::new(&what, "CPU each", Unit::Seconds, first.each(TOKENS));
        table.add(barred(row.beside(&other.about, runs.each(other.secrets)), cpu));
        let row = Row::new(&what, "wall", Unit::Seconds, first.wall);
        table.add(barred(row.beside(&other.about, runs.wall * scale), wall));
    }
}

fn others(asked: &Asked, table: &mut Table) -> Vec<Other> {
    let mut found = Vec::new();
    let mut program = |name: &str, path: &str| match asked.program(name, path)? {
        Ok(program) => Some(program),
        Err(why) => {
            table.skip(name, &why);
            None
        }
    };
    if let Some(python) = program("boto3", "python/bin/python") {
        found.push(Other {
            about: "boto3, create_secret in a loop, no look and no record".to_owned(),
            secrets: TOKENS,
            commands: Box::new(move |url| {
                let mut command = Command::new(&python);
                command.arg(beside("boto3_loop.py")).args([url, "by-loop", &TOKENS.to_string()]).envs(LOGIN);
                vec![command]
            }),
            bars: [None, Some(Bar::AtMost(1.1))],
            runs: Vec::new(),
        });
    }
    if let Some(aws) = program("aws", "python/bin/aws") {
        found.push(Other {
            about: format!("aws secretsmanager create-secret, {FEW} of them, scaled"),
            secrets: FEW,
            commands: Box::new(move |url| {
                let one = |number| {
                    let mut command = Command::new(&aws);
                    command.args(["secretsmanager", "create-secret", "--endpoint-url", url, "--region", "eu-west-1"]);
                    command.args(["--name", &format!("by-hand/{number}"), "--secret-string", "value"]).envs(LOGIN);
                    command
                };
                (0..FEW).map(one).collect()
            }),
            bars: [Some(Bar::AtMost(1.0 / 60.0)), Some(Bar::AtMost(1.0 / 60.0))],
            runs: Vec::new(),
        });
    }
    if let Some(ansible) = program("ansible", "peers/ansible/bin/ansible-playbook") {
        found.push(Other {
            about: format!("Ansible, community.aws, a look and a write, {FEW}, scaled"),
            secrets: FEW,
            commands: Box::new(move |url| {
                let mut command = Command::new(&ansible);
                command.args(["-i", "localhost,", "-c", "local"]).arg(beside("secrets.yml"));
                let python = ansible.with_file_name("python");
                command.args(["-e", &format!("url={url} count={FEW} ansible_python_interpreter={}", python.display())]);
                command.envs(LOGIN);
                vec![command]
            }),
            bars: [Some(Bar::AtMost(1.0 / 60.0)), Some(Bar::AtMost(1.0 / 60.0))],
            runs: Vec::new(),
        });
    }
    found
}

/// Forgets all secrets.
fn empty(moto: &Moto) {
    let mut caller = Caller::of(&moto.address().to_string());
    assert_eq!(caller.ask(&request("POST", "/moto-api/reset", &[""; 0], "")), 200, "{}", caller.answer());
}
