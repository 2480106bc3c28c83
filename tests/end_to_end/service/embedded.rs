//! The embedded file: several processes, its mode, what is no such file, and what it never holds.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use latchkey::mutex::Mutex;
use latchkey::secret::Secret;
use latchkey::service::{Caller, Edit, Service, UserChange};
use latchkey::table::sqlite::OpenError;
use provisioner::embedded::{self, EmbeddedError};
use tests::clock::{ManualClock, SeededEntropy};
use tests::engine::{Engine, Store};
use tests::world::{START, key, managed_token, name, new_token};

async fn service(path: &Path, seed: u64) -> Service {
    let table = embedded::open(path).unwrap();
    Service::open(table, Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(seed))).await.unwrap()
}

#[tokio::test]
async fn four_processes_on_one_file_make_exactly_as_many_tokens_as_the_quota_allows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let service = service(&path, 1).await;
    let change = UserChange { max_tokens: Some(Some(40)), ..UserChange::default() };
    service.put_user(&Caller::operator("admin"), &name("ci"), &change).await.unwrap();
    let children: Vec<_> = (0..4)
        .map(|process| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_contend"));
            command.arg(&path).args(["ci", "15", &format!("process-{process}")]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made += String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap();
    }
    assert_eq!(made, 40);
    assert_eq!(service.user(&name("ci")).await.unwrap().unwrap().active, 40);
    assert_eq!(service.list_active(&name("ci"), 100, None).await.unwrap().tokens.len(), 40);
}

#[tokio::test]
async fn what_was_made_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let caller = Caller::operator("admin");
    let secret = {
        let service = service(&path, 1).await;
        service.ensure_person(&caller, &name("ana")).await.unwrap();
        service.create(&caller, new_token("ana", "laptop")).await.unwrap().secret
    };
    let service = service(&path, 2).await;
    let verdict = service.verify(secret.expose(), None).await.unwrap();
    assert!(matches!(verdict, latchkey::service::Verdict::Valid(_)));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_companions_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("fresh.db");
    let wide = folder.path().join("wide.db");
    std::fs::File::create(&wide).unwrap().set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
    for path in [&fresh, &wide] {
        let service = service(path, 1).await;
        service.ensure_person(&Caller::operator("admin"), &name("ana")).await.unwrap();
        let mut files = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_str().unwrap().starts_with(path.file_name().unwrap().to_str().unwrap()) {
                continue;
            }
            files += 1;
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
        }
        assert!(files >= 2, "the file and its log at least");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_something_else_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o600] {
        let path = folder.path().join(format!("notes-{mode:o}.txt"));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&b"These are my notes, and not a table. ".repeat(100)).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = embedded::open(&path).unwrap_err();
        assert!(matches!(error, EmbeddedError::Open(OpenError::Foreign { .. })), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("is not a table of Latchkey") && text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-such-folder/latchkey.db");
    // `/proc` takes no new files, from nobody: not even from root, whom a read-only folder would not stop.
    let paths = [folder.path().to_owned(), missing, "/proc/latchkey.db".into()];
    for path in paths {
        let error = embedded::open(&path).unwrap_err();
        assert!(
            matches!(&error, EmbeddedError::Open(OpenError::File { path: told, .. }) if *told == path),
            "{error:?}"
        );
        assert!(error.to_string().starts_with(&format!("cannot open `{}`: ", path.display())), "{error}");
    }
}

/// Everything that is logged, at the finest level.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Does what a service does with secrets, well and not; the secrets, and all that could be shown of it.
async fn use_secrets(service: &Service) -> (Vec<Secret>, String) {
    let caller = Caller::operator("admin");
    let mut shown = String::new();
    let mut show =
        |value: &dyn std::fmt::Debug| std::fmt::Write::write_fmt(&mut shown, format_args!("{value:?}")).unwrap();
    show(&service.ensure_person(&caller, &name("ana")).await);
    let by_hand = service.create(&caller, new_token("ana", "laptop")).await.unwrap();
    show(&by_hand);
    show(&service.create(&caller, new_token("ana", "laptop")).await);
    let managed = service.create(&caller, managed_token("ana", "deploy", &[])).await.unwrap();
    show(&managed);
    let (key, token) = (&key("ana", "deploy"), &managed.token.reference());
    show(&service.promote(&caller, token, 1).await);
    let staged = service.stage(&caller, token).await.unwrap();
    show(&staged);
    let secrets = [by_hand.secret, managed.secret, staged.secret];
    for secret in &secrets {
        let verdict = service.verify(secret.expose(), None).await.unwrap();
        show(&verdict);
        if let latchkey::service::Verdict::Valid(valid) = &verdict {
            show(&service.note_use(valid, None).await);
        }
        // Mistyped, cut, and with other people's text around it.
        let text = secret.expose();
        show(&service.verify(&text.to_lowercase(), None).await);
        show(&service.verify(&text[..text.len() - 1], None).await);
        show(&service.verify(&format!("Bearer {text}"), None).await);
    }
    show(&service.flush_usage().await);
    let edit = Edit { description: Some("text".to_owned()), ..Edit::default() };
    show(&service.edit(&caller, key, None, None, &edit).await);
    show(&service.edit(&caller, key, None, Some(1), &edit).await);
    show(&service.promote(&caller, token, 2).await);
    show(&service.delete(&caller, key, None).await);
    show(&service.origins(&[managed.token.id.clone(), by_hand.token.id.clone()]).await);
    show(&service.events("ana", service.now(), 100).await);
    show(service);
    (secrets.into(), shown)
}

#[tokio::test]
async fn no_secret_is_logged_shown_or_stored() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latchkey.db");
    let (secrets, shown) = use_secrets(&service(&path, 1).await).await;
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for (what, bytes) in [("Debug", shown.as_bytes()), ("file", &stored)] {
        hold_none(what, bytes, &secrets);
    }
    // The client of AWS tells every request, at the finest level.
    let aws = Store::on(Engine::of_aws()).await;
    let (clock, entropy) = (Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(2)));
    let (more, shown) = use_secrets(&Service::open(aws.table.clone(), clock, entropy).await.unwrap()).await;
    hold_none("Debug", shown.as_bytes(), &more);
    let logged = log.0.lock().clone();
    hold_none("log", &logged, &more);
    hold_none_of("log", &logged, &secrets);
}

/// It tells of the tokens, and holds nothing of their secrets.
fn hold_none(what: &str, bytes: &[u8], secrets: &[Secret]) {
    for secret in secrets {
        assert!(contains(bytes, secret.token_id().as_str()), "the {what} was looked at");
    }
    hold_none_of(what, bytes, secrets);
}

fn hold_none_of(what: &str, bytes: &[u8], secrets: &[Secret]) {
    for secret in secrets {
        let text = secret.expose();
        // After prefix and id: 43 random digits, of which 16 would be far too many, and the checksum.
        let random = &text[text.len() - 49..text.len() - 6];
        for part in [&random[..16], &random[27..], &random[..16].to_lowercase()] {
            assert!(!contains(bytes, part), "the {what} holds a secret");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
