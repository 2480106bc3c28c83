//! The server in a container: the image of the sample, built and run from nothing, without a registry.
//!
//! `buildah` makes the image; what is in it runs as its user in its file system, on this machine's network, as there is no
//! daemon. The sample wants a command that is linked statically; the one that tests have needs its libraries beside it, and
//! they are all that the test adds.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::deployment::root;
use tests::programs::{find, missing};
use tests::provision::{World, finish};
use tests::remote::Served;

use super::team::curl;

struct Image {
    folder: PathBuf,
}

impl Image {
    fn buildah(&self, words: &[&str]) -> String {
        let mut command = Command::new(find("buildah").unwrap());
        let store = |name: &str| self.folder.join(name);
        command.arg("--root").arg(store("root")).arg("--runroot").arg(store("run")).args(["--storage-driver", "vfs"]);
        let output = command.args(words).current_dir(self.folder.join("context")).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Copies the command and what it is linked with.
fn fill(context: &Path, provision: &Path) {
    std::fs::create_dir(context.join("data")).unwrap();
    let stripped = Command::new("strip").arg("-o").arg(context.join("provision")).arg(provision).status();
    if !stripped.is_ok_and(|status| status.success()) {
        std::fs::copy(provision, context.join("provision")).unwrap();
    }
    let linked = Command::new("ldd").arg(provision).output().unwrap();
    for library in String::from_utf8(linked.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/')) {
        let to = context.join("libraries").join(library.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(library, to).unwrap();
    }
}

#[test]
fn the_image_of_the_sample_serves_as_nobody_and_keeps_its_table_in_its_volume() {
    if let Some(why) = missing(&["buildah", "chroot", "curl", "ldd"]) {
        tests::skip!("{why}");
    }
    if !rustix::process::geteuid().is_root() {
        tests::skip!("needs the right to change its root");
    }
    let world = World::new();
    let image = Image { folder: world.folder().to_owned() };
    let context = world.path("context");
    std::fs::create_dir(&context).unwrap();
    fill(&context, Path::new(world.command(["man"]).get_program()));
    let sample = std::fs::read_to_string(root().join("samples/serve/Containerfile")).unwrap();
    world.write("context/Containerfile", &sample.replace("\nCOPY provision", "\nCOPY libraries /\nCOPY provision"));
    world.write("context/policy.json", r#"{"default": [{"type": "insecureAcceptAnything"}]}"#);
    let unsigned = ["--signature-policy", "policy.json"];
    image.buildah(&["bud", unsigned[0], unsigned[1], "--isolation", "chroot", "--tag", "latchkey", "."]);
    let told: Value = serde_json::from_str(&image.buildah(&["inspect", "--type", "image", "latchkey"])).unwrap();
    let config = &told["OCIv1"]["config"];
    let words = |name: &str| -> Vec<String> {
        config[name].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let (user, entry) = (config["User"].as_str().unwrap(), words("Entrypoint"));
    assert!(!user.starts_with('0') && config["Volumes"]["/data"].is_object(), "{config}");
    let container = image.buildah(&["from", "--pull-never", unsigned[0], unsigned[1], "latchkey"]);
    let inside = image.buildah(&["mount", &container]);
    let enter = |words: &[String]| {
        let mut command = Command::new(find("chroot").unwrap());
        command.env_clear().arg(format!("--userspec={user}")).arg(&inside).args(words);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
        command
    };
    let bootstrap = ["/provision", "bootstrap", "--service", "embedded:/data/latchkey.db"].map(str::to_owned);
    let made = finish(enter(&bootstrap).stderr(std::process::Stdio::piped()).spawn().unwrap(), None).exits(0);
    let secret = made.stdout.trim();
    let here = |word: String| word.replace("0.0.0.0:8787", "127.0.0.1:0").replace("10.0.0.0/8", "127.0.0.1/32");
    let start: Vec<String> = entry.into_iter().chain(words("Cmd")).map(here).collect();
    // And once more, on what the first one left.
    for _ in 0..2 {
        let mut server = Served::run(enter(&start));
        let me = format!("{}/v1/me", server.url());
        let forwarded = ["--header", "x-forwarded-for: 192.0.2.7", &me];
        let (status, answer) = curl(&forwarded, Some(secret));
        assert!(status == 200 && answer.contains("first-admin"), "{status}: {answer}");
        assert_eq!(server.end(), Some(0));
    }
    image.buildah(&["umount", &container]);
    image.buildah(&["rm", &container]);
}
