//! "Check it in your app": what the guide and the samples show is run as it stands, against a real server, and so are the
//! clients of RFC 7662 that others use.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use latchkey::entropy::SystemEntropy;
use latchkey::secret::{Prefix, Secret, TokenId};
use serde_json::{Value, json};
use tests::deployment::{engine, root};
use tests::programs::missing;
use tests::provision::{World, finish};
use tests::remote::Served;

/// A server, a token that may only check, one to check, and one that is deleted.
struct Setting {
    world: World,
    server: Served,
    checker: String,
    valid: String,
    gone: String,
}

impl Setting {
    fn new(base: &str) -> Self {
        let world = World::new();
        let run = |words: &str| {
            let ran = world.run(&format!("{words} --service embedded:latchkey.db")).exits(0);
            ran.stdout.trim().to_owned()
        };
        let guide = std::fs::read_to_string(root().join("docs/guides/check.md")).unwrap();
        let mut checker = String::new();
        for line in block(&guide, "sh").lines() {
            checker = run(line.strip_prefix("provision ").unwrap());
        }
        run("role set reader -p documents:read");
        run("user set ada --role reader");
        let valid = run("token create app --user ada");
        let gone = run("token create gone --user ada");
        run("token delete gone --user ada --yes");
        let words = format!("serve --port 0 --service embedded:latchkey.db {base}");
        let server = Served::run(world.command(words.split_whitespace()));
        Self { world, server, checker, valid, gone }
    }

    /// A command that has what the guide says in its environment, and a token that somebody presents.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, presented: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.world.folder()).env("LATCHKEY_URL", self.server.url());
        command.env("LATCHKEY_CHECK_TOKEN", &self.checker).env("PRESENTED", presented);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What some code of the guide answers to the valid token, and to the deleted one.
    fn holds(&self, name: &str, run: impl Fn(&str) -> Command) {
        for (presented, is_valid) in [(&self.valid, true), (&self.gone, false)] {
            let ran = finish(run(presented).spawn().unwrap(), None);
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{name}: {}", ran.stdout));
            assert_eq!(answer["active"], is_valid, "{name}: {answer}");
            assert_eq!(answer["sub"].as_str(), is_valid.then_some("ada"), "{name}: {answer}");
        }
    }

    fn written(&self, name: &str, text: &str) -> PathBuf {
        self.world.write(name, text);
        self.world.path(name)
    }
}

/// The block of the guide that is in a language.
fn block<'a>(guide: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let start = guide.find(&begin).unwrap_or_else(|| panic!("no `{language}`")) + begin.len();
    guide[start..].split("\n```").next().unwrap()
}

fn guide() -> String {
    std::fs::read_to_string(root().join("docs/guides/check.md")).unwrap()
}

#[test]
fn the_lines_of_the_guide_check_a_token_in_a_shell_and_in_python() {
    if let Some(why) = missing(&["bash", "curl"]) {
        tests::skip!("{why}");
    }
    let (setting, guide) = (Setting::new(""), guide());
    let shell = setting.written("check.sh", block(&guide, "bash"));
    setting.holds("curl", |presented| {
        let mut command = setting.command("bash", presented);
        command.arg(&shell);
        command
    });
    let text = format!("{}\n\nprint(json.dumps(check(os.environ[\"PRESENTED\"])))\n", block(&guide, "python"));
    let python = setting.written("check.py", &text);
    setting.holds("Python", |presented| {
        let mut command = setting.command(engine("python"), presented);
        command.arg(&python);
        command
    });
}

#[test]
fn the_lines_of_the_guide_check_a_token_in_node() {
    if let Some(why) = missing(&["node"]) {
        tests::skip!("{why}");
    }
    let (setting, guide) = (Setting::new(""), guide());
    let text = format!("{}\nconsole.log(JSON.stringify(await check(process.env.PRESENTED)));\n", block(&guide, "js"));
    let node = setting.written("check.mjs", &text);
    setting.holds("Node", |presented| {
        let mut command = setting.command("node", presented);
        command.arg(&node);
        command
    });
}

#[test]
fn the_lines_of_the_guide_check_a_token_in_java() {
    if let Some(why) = missing(&["java"]) {
        tests::skip!("{why}");
    }
    let (setting, guide) = (Setting::new(""), guide());
    let imports = "import java.io.*; import java.net.*; import java.net.http.*; import java.net.http.HttpRequest.*;\n\
        import java.net.http.HttpResponse.*; import java.nio.charset.*; import java.time.*;\n";
    let main = "public static void main(String[] words) throws Exception {\n\
        System.out.println(check(System.getenv(\"PRESENTED\")));\n}\n";
    let text = format!("{imports}class Check {{\n{}\n{main}}}\n", block(&guide, "java"));
    let java = setting.written("Check.java", &text);
    setting.holds("Java", |presented| {
        let mut command = setting.command("java", presented);
        command.arg("-XX:TieredStopAtLevel=1").arg(&java);
        command
    });
}

/// Where `tests/engines.sh` has put packages, if it could.
fn installed(folder: &str) -> Option<PathBuf> {
    let folder = root().join("target/engines").join(folder);
    folder.join("installed").exists().then_some(folder)
}

/// What a client says of the tokens, and by which scheme it was refused with a secret that nobody has.
fn ask(setting: &Setting, mut command: Command, engines: &Path) {
    let unknown = TokenId::mint(&SystemEntropy).unwrap();
    let prefix: Prefix = "lk".parse().unwrap();
    let wrong = Secret::mint(&prefix, &unknown, &SystemEntropy).unwrap();
    let given = json!({
        "url": setting.server.url(), "checker": setting.checker, "wrong": wrong.expose(),
        "tokens": [setting.valid, setting.gone], "engines": engines,
    });
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let ran = finish(child, None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["told"][0]["sub"], "ada", "{answer}");
    assert_eq!(answer["told"][1], json!({"active": false}), "{answer}");
    assert_eq!(answer["refused"], "basic", "{answer}");
}

fn script(name: &str) -> PathBuf {
    root().join("tests/end_to_end/api/checking").join(name)
}

#[test]
fn openid_client_finds_introspection_by_the_address_alone_and_authenticates_as_it_does_by_default() {
    let Some(engines) = installed("checkers") else { tests::skip!("needs `openid-client`: run `tests/engines.sh`") };
    for base in ["", "--base-path /tokens"] {
        let setting = Setting::new(base);
        let mut command = setting.command("node", "");
        command.arg(script("openid.mjs"));
        ask(&setting, command, &engines);
    }
}

#[test]
fn authlib_introspects_as_it_does_by_default() {
    let Some(engines) = installed("checkers-python") else { tests::skip!("needs Authlib: run `tests/engines.sh`") };
    let setting = Setting::new("");
    let mut command = setting.command(engine("python"), "");
    command.env("PYTHONPATH", &engines).arg(script("authlib_check.py"));
    ask(&setting, command, &engines);
}

/// A service that ends with its test.
struct Sample(Child, String);

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sample {
    /// Starts it, and reads lines until one has its address.
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].split_whitespace().next().unwrap().to_owned())
        });
        Self(child, address.expect("it says where it listens"))
    }

    fn status(&self, presented: Option<&str>) -> u16 {
        let url = format!("{}/documents", self.1);
        let mut command = Command::new("curl");
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--config", "-", &url]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let header = presented.map(|secret| format!("header = \"Authorization: Bearer {secret}\"\n"));
        child.stdin.take().unwrap().write_all(header.unwrap_or_default().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().parse().unwrap()
    }
}

/// What a sample has to do, without a cache and with one that outlives the test.
fn serves(start: impl Fn(&Setting) -> Command) {
    for (kept, after_delete) in [("0", 401), ("3600", 200)] {
        let setting = Setting::new("");
        let run = |words: &str| {
            let ran = setting.world.run(&format!("{words} --service embedded:latchkey.db")).exits(0);
            ran.stdout.trim().to_owned()
        };
        let other = run("token create none --user my-app");
        let mut command = start(&setting);
        let sample = Sample::start({
            command.env("CHECK_CACHE_SECONDS", kept);
            command
        });
        assert_eq!(sample.status(None), 401);
        assert_eq!(sample.status(Some("lk_nonsense")), 401);
        assert_eq!(sample.status(Some(&setting.gone)), 401);
        assert_eq!(sample.status(Some(&other)), 403, "it may check tokens, and read no documents");
        assert_eq!(sample.status(Some(&setting.valid)), 200);
        run("token delete app --user ada --yes");
        assert_eq!(sample.status(Some(&setting.valid)), after_delete, "kept for {kept} s");
        let Setting { mut server, .. } = setting;
        server.kill();
        assert_eq!(sample.status(Some(&other)), if kept == "0" { 503 } else { 403 }, "nothing is known");
    }
}

#[test]
fn the_sample_of_fastapi_lets_in_whoever_may_and_nobody_else() {
    let Some(engines) = installed("checkers-python") else { tests::skip!("needs FastAPI: run `tests/engines.sh`") };
    if let Some(why) = missing(&["curl"]) {
        tests::skip!("{why}");
    }
    serves(|setting| {
        let mut command = setting.command(engine("python"), "");
        command.env("PYTHONPATH", &engines).args(["-u", "-c"]);
        // The log of `uvicorn` names the port that the system chose; it goes to stderr.
        command.arg("import sys, uvicorn; sys.stderr = sys.stdout; uvicorn.run('app:app', port=0, access_log=False)");
        command.arg("--").current_dir(root().join("samples/fastapi-check")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    });
}

#[test]
fn the_sample_of_express_lets_in_whoever_may_and_nobody_else() {
    let Some(engines) = installed("checkers") else { tests::skip!("needs Express: run `tests/engines.sh`") };
    if let Some(why) = missing(&["curl"]) {
        tests::skip!("{why}");
    }
    serves(|setting| {
        // Modules are looked for beside the file.
        let text = std::fs::read_to_string(root().join("samples/express-check/app.mjs")).unwrap();
        let app = setting.written("app.mjs", &text);
        let modules = setting.world.path("node_modules");
        std::os::unix::fs::symlink(engines.join("node_modules"), modules).unwrap();
        let mut command = setting.command("node", "");
        command.arg(app).env("PORT", "0");
        command
    });
}
