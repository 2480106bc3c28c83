//! A CI job that publishes its manifest by URL.

use serde_json::json;
use tests::remote::{Proxy, Trouble};

use super::table::Elsewhere;
use super::{Remote, head};
use crate::command::VAULT;

fn start() -> Remote {
    Remote::with(&format!("{}{VAULT}", head("url = \"URL\"")))
}

#[test]
fn a_job_publishes_and_withdraws_by_url() {
    let remote = start();
    remote.run("publish --revision 4").exits(0);
    let shown = remote.run("manifest show acme --format json").exits(0).json();
    assert_eq!((&shown["publication"]["revision"], &shown["publication"]["tokens"]), (&json!(4), &json!(1)));
    assert_eq!(shown["publication"]["by"], "pipeline/main-pipeline");
    let again = remote.run("publish --revision 4 --format json").exits(0).json();
    assert_eq!(again["unchanged"], true);
    remote.run("publish --revision 3").exits(4);
    remote.admin("manifest grant acme --from tokens.toml").exits(0);
    let granted = remote.run("publish --revision 4 --format json").exits(0).json();
    assert_eq!(granted["not_granted"], json!([]));
    remote.run("publish --withdraw").exits(0);
    let shown = remote.run("manifest show acme --format json").exits(0).json();
    assert_eq!(shown["publication"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_publishes_on_a_table_and_withdraws_there() {
    let there = Elsewhere::start("latchkey").await;
    let service = "table = \"latchkey\"\nregion = \"us-east-1\"";
    there.world.write("tokens.toml", &format!("{}{VAULT}", head(service)));
    let published = there.run("publish --revision 4 --format json").exits(0).json();
    assert_eq!((&published["tokens"], &published["revision"]), (&json!(1), &json!(4)));
    assert_eq!(there.run("publish --format json").exits(0).json()["unchanged"], true);
    there.run("publish --revision 3").exits(4);
    there.run("publish --withdraw").exits(0);
    assert_eq!(there.run("publish --withdraw --format json").exits(0).json()["withdrawn"], false);
}

#[test]
fn publishing_goes_through_whatever_request_or_answer_is_lost() {
    let remote = start();
    let proxy = Proxy::before(&remote.url);
    remote.world.edit(&remote.url, &proxy.url());
    for trouble in [Trouble::RequestLost, Trouble::AnswerLost] {
        for (method, ending) in [
            ("GET", "/publication"),
            ("POST", "/publication"),
            ("GET", "/publication/tokens"),
            ("PUT", "/publication/tokens"),
            ("PUT", "/publication"),
        ] {
            proxy.trouble(method, ending, trouble, 1);
        }
    }
    let url = proxy.url();
    let run = |words: &str| remote.world.run_in(&[("LATCHKEY_URL", &url), ("LATCHKEY_TOKEN", &remote.job)], words);
    let published = run("publish --format json").exits(0).json();
    assert_eq!((&published["tokens"], &published["written"]), (&json!(1), &json!(1)));
    assert_eq!(run("publish --format json").exits(0).json()["unchanged"], true);
}

#[test]
fn a_job_of_another_manifest_publishes_nothing() {
    let remote = start();
    remote.world.edit("manifest = \"acme\"", "manifest = \"other\"");
    let refused = remote.run("publish").exits(1);
    assert!(refused.stderr.contains("not found, or this token is not allowed to see it"), "{}", refused.stderr);
    let shown = remote.admin("manifest show other").exits(1);
    assert!(shown.stderr.contains("does not know the manifest `other`"), "{}", shown.stderr);
}
