//! What people know from the commands and pages that this tool was asked to match: each line of theirs, and what does it
//! here. `NAMES` stand for values that the test knows.

use tests::provision::{World, secrets_in};
use tests::remote::Served;

/// Where a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seed {
    /// `osmo token`.
    Osmo,
    /// `pogo token`: tokens in the keyring for servers.
    Pogo,
    /// `choreo login`, and its page of tokens.
    Choreo,
    /// The page of Pogodoc.
    Pogodoc,
}

use Seed::{Choreo, Osmo, Pogo, Pogodoc};

/// Where it is from, what is typed or clicked there, what is typed here, what is piped in, and a part of what is printed.
type Line = (Seed, &'static str, &'static str, &'static str, &'static str);

const LINES: &[Line] = &[
    (Osmo, "token set my-token", "token set my-token", "", "lk_"),
    (Osmo, "token set NAME --expires-at", "token set dated --expires-at DATE", "", "it expires DATE"),
    (Osmo, "token set NAME -e -d", "token set described -e DATE -d mine", "", "it expires DATE"),
    (Osmo, "token set NAME --description", "token set told --description mine", "", "lk_"),
    (Osmo, "token set NAME --user", "token set service-token --user service-account@example.com", "", "lk_"),
    (Osmo, "token set NAME -u", "token set other-token -u service-account@example.com", "", "lk_"),
    (Osmo, "token set NAME --format-type json", "token set for-programs --format-type json", "", "\"secret\""),
    (Osmo, "token set NAME -t text", "token set for-people -t text", "", "lk_"),
    (Osmo, "token list", "token list", "", "my-token"),
    (Osmo, "token list --user", "token list --user service-account@example.com", "", "service-token"),
    (Osmo, "token list -u -t json", "token list -u service-account@example.com -t json", "", "\"service-token\""),
    (Osmo, "token list --format-type text", "token list --format-type text", "", "my-token"),
    (Osmo, "token roles my-token", "token roles my-token", "", "no roles"),
    (Osmo, "token roles my-token -t json", "token roles my-token -t json", "", "\"permissions\""),
    (Osmo, "token roles --format-type", "token roles my-token --format-type text", "", "no roles"),
    (Osmo, "token delete my-token", "token delete my-token --yes", "", "Deleted"),
    (Osmo, "token delete --user", "token delete other-token --user service-account@example.com --yes", "", "Deleted"),
    (Osmo, "token delete -u", "token delete service-token -u service-account@example.com --yes", "", "Deleted"),
    (
        Choreo,
        "echo $TOKEN | login --with-token",
        "login --with-token --insecure-storage --server URL",
        "SECRET",
        "SERVER",
    ),
    (Choreo, "one account beside another", "accounts", "", "SERVER"),
    (Choreo, "use the token", "whoami", "", "ana"),
    (Choreo, "Create New, with scopes", "token create scoped --user ana --role reader --service TABLE", "", "lk_"),
    (Choreo, "the list of tokens", "token list --user ana --service TABLE", "", "scoped"),
    (Choreo, "Revoke", "token revoke scoped --user ana --yes --service TABLE", "", "Deleted"),
    (Choreo, "review unused tokens", "token list --all-users --unused 60d --service TABLE", "", ""),
    (Pogo, "token remove --server", "token remove --server URL --yes --forget", "", "SERVER"),
    (Pogo, "token set --server, again", "login --with-token --insecure-storage --server URL", "SECRET", "SERVER"),
    (Pogo, "token remove", "logout --server URL --yes --forget", "", "SERVER"),
    (Pogodoc, "Generate", "token create production-api --service TABLE", "", "lk_"),
    (Pogodoc, "Active Tokens", "token list --state active --service TABLE", "", "production-api"),
    (Pogodoc, "Token Statistics", "token usage production-api --service TABLE", "", "0 uses"),
    (Pogodoc, "Delete", "token delete production-api --yes --service TABLE", "", "Deleted"),
    (Pogodoc, "Deleted Tokens", "token list --state deleted --service TABLE", "", "production-api"),
    (Pogodoc, "usage of a deleted token", "token usage production-api --id ENDED --service TABLE", "", "0 uses"),
    (Pogodoc, "is the token still active?", "token find --service TABLE", "ENDED", "production-api"),
    (Pogodoc, "a vague name is warned of", "token create my-token1 --service TABLE", "", "is vague"),
];

const TABLE: &str = "embedded:latchkey.db";

#[test]
fn every_command_of_the_seeds_has_its_counterpart() {
    let world = World::new();
    let on_table = |words: &str| world.run(&format!("{words} --service {TABLE}")).exits(0);
    let _ = on_table("role set reader --permission documents:read");
    let _ = on_table("user set ana --role reader");
    let _ = on_table("user set service-account@example.com --kind service");
    let secret = on_table("token create for-the-login --user ana").stdout.trim().to_owned();
    let server = Served::start(&world, "latchkey.db");
    let host = server.url().strip_prefix("http://").unwrap().to_owned();
    let date = world.date(60);
    let mut ended = String::new();
    for (seed, theirs, ours, piped, part) in LINES {
        let fill = |text: &str| {
            let text = text.replace("DATE", &date).replace("URL", server.url()).replace("SERVER", &host);
            text.replace("TABLE", TABLE).replace("ENDED", &ended).replace("SECRET", &secret)
        };
        // The commands of one who has the table; those that log in know a server.
        let local = *seed == Osmo;
        let line = if local { format!("{} --service {TABLE}", fill(ours)) } else { fill(ours) };
        let ran = world.pipe(&line, &fill(piped));
        // A secret that has ended is found, and that it ended is exit 1.
        let wanted = i32::from(ours.starts_with("token find"));
        assert_eq!(ran.code, Some(wanted), "{seed:?}, `{theirs}`: {line}: {ran:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&fill(part)), "{seed:?}, `{theirs}`: {line}: {told}");
        if ours.starts_with("token create production-api") {
            // `lk_<id>_...`: the id stays known.
            let secrets = secrets_in(&ran.stdout);
            ended = secrets[0].split('_').nth(1).unwrap().to_owned();
        }
    }
    // Ten active tokens are the limit, and deleted ones do not count.
    let mut made = 0;
    let refused = loop {
        let ran = world.run(&format!("token create number-{made} --user ana --service {TABLE}"));
        if ran.code != Some(0) {
            break ran;
        }
        made += 1;
        assert!(made < 20);
    };
    assert!(made == 9 && refused.stderr.contains("10"), "{made}: {refused:?}");
}
