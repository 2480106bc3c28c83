//! The pictures of terminals in `docs/pictures`: each is drawn from commands that are run on a terminal, so none shows
//! what they no longer print. `LATCHKEY_PICTURES=write` draws them anew.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use jiff::Timestamp;
use latchkey::lifetime::Seconds;
use latchkey::protocol::{LOOK_MAX, QUIET, STAGED_LIFE, UNUSED_MIN, USE_LAG, WRITE_BEFORE};
use regex::{Captures, Regex};
use rustix::process::Signal;
use tests::deployment::root;
use tests::picture::{COLUMNS, draw};
use tests::provision::{World, secrets_in};
use tests::terminal::Terminal;

/// What all pictures together may weigh, with those of the page.
const BYTES_MAX: u64 = 1 << 20;

/// Two places, so that there is more than one to see.
const TWO_PLACES: &str = r#"manifest = "acme-platform"
[service]
embedded = "latchkey.db"
[roles.invoices-reader]
permissions = ["invoices:read"]
[users.billing]
kind = "service"
roles = ["invoices-reader"]
[sinks.web]
type = "dotenv"
path = "web/.env"
[sinks.worker]
type = "dotenv"
path = "worker/.env"
[tokens.invoice-api]
user = "billing"
push = [{ sink = "web", name = "API_TOKEN" }, { sink = "worker", name = "API_TOKEN" }]
"#;

/// A person at a terminal, and all that it shows.
struct Session {
    world: World,
    stream: String,
}

impl Session {
    /// In a folder with this manifest, or an empty one, always on the same morning.
    fn new(manifest: Option<&str>) -> Self {
        let world = manifest.map_or_else(World::new, World::with);
        let morning: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        world.clock(morning.as_second() - world.now().as_second());
        let programs = world.path("../programs");
        std::fs::create_dir(&programs).unwrap();
        let provision = world.command([""]).get_program().to_owned();
        std::os::unix::fs::symlink(provision, programs.join("provision")).unwrap();
        Self { world, stream: String::new() }
    }

    /// A line of the shell as somebody types it, ready to be run.
    fn line(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        self.world.prepare(&mut command);
        let mut path = vec![self.world.path("../programs")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        command.args(["-c", line]).env("PATH", std::env::join_paths(path).unwrap()).env("TERM", "xterm-256color");
        command
    }

    fn notes(&mut self, line: &str, shown: &str) {
        // A prompt begins a line, whatever the last answer ended with.
        let gap = match self.stream.as_str() {
            "" => "",
            before if before.ends_with('\n') => "\r\n",
            _ => "\r\n\r\n",
        };
        let _ = write!(self.stream, "{gap}\u{1b}[2m$\u{1b}[0m \u{1b}[1m{line}\u{1b}[0m\r\n{shown}");
    }

    /// What a line shows that ends with this code; `None` where this machine has no terminals.
    #[track_caller]
    fn shown_by(&self, line: &str, code: i32) -> Option<String> {
        let (ended, shown) = Terminal::start_wide(&self.line(line), COLUMNS)?.end();
        assert_eq!(ended, Some(code), "{shown}");
        Some(shown)
    }

    /// Types a line, and notes it with what it shows.
    #[track_caller]
    fn types(&mut self, line: &str, code: i32) -> Option<String> {
        let shown = self.shown_by(line, code)?;
        self.notes(line, &shown);
        Some(shown)
    }

    /// The same with a question, and what is typed at it.
    #[track_caller]
    fn answers(&mut self, line: &str, question: &str, answer: &str) {
        let Some(mut terminal) = Terminal::start_wide(&self.line(line), COLUMNS) else { return };
        terminal.wait_for(question);
        terminal.types(answer);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, Some(0), "{shown}");
        self.notes(line, &shown);
    }

    /// Holds the picture of that name to what was shown, or draws it.
    #[track_caller]
    fn is_pictured(&self, name: &str, title: &str) {
        let stream = steady(&self.stream);
        assert!(secrets_in(&stream).is_empty(), "a picture shows no secret: {stream}");
        let (file, drawn) = (pictures().join(name), draw(title, &stream));
        if std::env::var_os("LATCHKEY_PICTURES").is_some() {
            return latchkey_sinks::files::write_atomic(&file, drawn.as_bytes(), 0o644).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let hint = "is it to be drawn anew? `LATCHKEY_PICTURES=write cargo nextest run --workspace pictures`";
        let new: Vec<_> = drawn.lines().filter(|line| !kept.contains(line)).collect();
        assert!(kept == drawn, "`{name}` is not what happens now: {new:#?}\n{hint}");
    }
}

fn pictures() -> PathBuf {
    root().join("docs/pictures")
}

/// What differs from run to run, replaced by something like it: ids in the order in which they are shown, the minutes
/// of that morning, and a server's port. Secrets are cut.
fn steady(stream: &str) -> String {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| Regex::new("(lk_[0-9a-z]{16}_)[0-9A-Za-z]{49}").unwrap());
    static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-hjkmnp-tv-z]{16}\b").unwrap());
    static PLAN: LazyLock<Regex> = LazyLock::new(|| Regex::new("(Plan id: )[0-9a-f]{32}").unwrap());
    static TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\d{4}-\d\d-\d\d) 09:0\d UTC").unwrap());
    static SECOND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""exp":18116\d{5}"#).unwrap());
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"127\.0\.0\.1:\d+").unwrap());
    let text = SECRET.replace_all(stream, "$1...");
    let mut seen = Vec::new();
    let text = ID.replace_all(&text, |found: &Captures<'_>| {
        let id = found[0].to_owned();
        let index = seen.iter().position(|before| *before == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        ["8qk3v7zt0hd5mwca", "f2r9xnj6ye4bsg1p", "tz5c0pw8kd3vqm7h"][index]
    });
    let text = PLAN.replace_all(&text, "${1}5d0f3c9be7a14826b0c4d97e61f2a83b");
    let text = TIME.replace_all(&text, "$1 09:00 UTC");
    let text = SECOND.replace_all(&text, "\"exp\":1811667600");
    PORT.replace_all(&text, "127.0.0.1:8787").into_owned()
}

#[test]
fn the_picture_of_a_first_token_is_what_happens() {
    let mut session = Session::new(None);
    let Some(shown) = session.types("provision quickstart", 0) else { return };
    let check = shown.lines().find(|line| line.contains("/v1/introspect")).unwrap().trim().to_owned();
    let serve = session.world.command(["serve", "--port", "0"]);
    let mut server = Terminal::start_wide(&serve, COLUMNS).unwrap();
    let address = server.wait_for_line("http://");
    server.wait_for("to stop");
    let answer = session.shown_by(&check.replace("127.0.0.1:8787", &address), 0).unwrap();
    server.signal(Signal::TERM);
    let (code, served) = server.end();
    assert_eq!(code, Some(0), "{served}");
    assert!(answer.contains("\"active\":true"), "{answer}");
    session.notes("provision serve &", &served);
    session.notes(&check, &answer);
    session.is_pictured("first-token.svg", "The first token: `provision quickstart`, a server, and a check over HTTP");
}

#[test]
fn the_picture_of_an_apply_is_what_happens() {
    let mut session = Session::new(Some(TWO_PLACES));
    for folder in ["web", "worker"] {
        std::fs::create_dir(session.world.path(folder)).unwrap();
    }
    for line in ["provision plan", "provision apply", "provision status"] {
        if session.types(line, 0).is_none() {
            return;
        }
    }
    session.is_pictured(
        "apply.svg",
        "`provision plan`, `provision apply` and `provision status` with one token in two files",
    );
}

#[test]
fn the_picture_of_a_leaked_secret_is_what_happens() {
    let sample = std::fs::read_to_string(root().join("samples/tokens.toml")).unwrap();
    let mut session = Session::new(Some(&sample));
    session.world.run("apply").exits(0);
    session.world.write("leaked.txt", &session.world.entry(".env", "REPORT_API_TOKEN"));
    let question = "Type the token's name to confirm: ";
    session.answers("provision rotate --compromised nightly-report", question, "nightly-report");
    for (line, code) in [("provision token verify < leaked.txt", 1), ("provision status", 0)] {
        if session.types(line, code).is_none() {
            return;
        }
    }
    session.is_pictured(
        "leaked.svg",
        "`provision rotate --compromised` for a secret that has leaked, and what is valid afterwards",
    );
}

#[test]
fn all_pictures_together_are_light_and_each_has_a_title_and_text_to_select() {
    let files = std::fs::read_dir(pictures()).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes < BYTES_MAX, "the pictures weigh {bytes} bytes together, of at most {BYTES_MAX}");
    let drawn: Vec<_> = files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "svg")).collect();
    assert!(drawn.len() >= 6, "{drawn:?}");
    for file in drawn {
        let svg = std::fs::read_to_string(file).unwrap();
        let lacks = |part: &&str| !svg.contains(*part);
        let wanted = ["<title id=\"title\">", "<text ", "@media (prefers-color-scheme: dark)", "role=\"img\""];
        let lacking: Vec<_> = wanted.into_iter().filter(lacks).collect();
        assert!(lacking.is_empty(), "{}: has no {lacking:?}", file.display());
        // It is one file that asks nobody for anything: no font, no script, no other picture.
        let asks = ["url(", "href", "<script", "<image", "@import", "@font-face"];
        let asks: Vec<_> = asks.into_iter().filter(|part| svg.contains(part)).collect();
        assert!(asks.is_empty(), "{}: has {asks:?}", file.display());
    }
}

#[test]
fn the_drawings_of_the_protocol_have_its_times() {
    let text = |name: &str| std::fs::read_to_string(pictures().join(name)).unwrap().replace("</tspan>", " ");
    let hours = |time: Seconds| format!("{} hour{}", time.0 / 3600, if time.0 == 3600 { "" } else { "s" });
    let minutes = |time: Seconds| format!("{} minutes", time.0 / 60);
    let version = [
        format!("The write starts within {} of", minutes(WRITE_BEFORE)),
        format!("begun after that and at most {} ago", minutes(LOOK_MAX)),
        format!("and {} have passed since it was last announced", minutes(QUIET)),
        format!("the longer of its overlap and {}, and {} more", hours(UNUSED_MIN), minutes(USE_LAG)),
        format!("never announced after {}", hours(STAGED_LIFE)),
    ];
    let day = Seconds::days(1);
    let unused = day.0.max(UNUSED_MIN.0) + USE_LAG.0;
    let unused = format!("{} {}", hours(Seconds(unused)), minutes(Seconds(unused % 3600)));
    let rotation = [format!("overlap: {}", hours(day)), format!("{unused} unused"), format!("{unused} ago")];
    for (name, wanted) in [("version.svg", &version[..]), ("rotation.svg", &rotation[..])] {
        let text = text(name);
        let lacking: Vec<_> = wanted.iter().filter(|part| !text.contains(part.as_str())).collect();
        assert!(lacking.is_empty(), "`{name}` does not say {lacking:?}");
    }
}
