//! Which deployments consumers read: what an older version stays valid for.

use std::sync::Arc;

use latchkey::place::Place;
use latchkey_sinks::vercel::Environment;
use latchkey_sinks::{DeclaredSink as _, ForgottenBranches, PushDeclaration, Seen, SeenEntry, Sink as _};

use super::super::{Version, held, look, write};
use super::{Sink, place, preview, readable, started};

#[tokio::test]
async fn consumers_lag_until_a_deployment_of_their_environment_is_newer() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let production = place(&sink, "API_TOKEN", Environment::Production).await;
    let next = place(&sink, "API_TOKEN", preview(Some("next"))).await;
    let development = readable(&sink, "API_TOKEN", Environment::Development).await;
    let version = Version::first();
    let write_everywhere = |version: &Version| {
        let (sink, places) = (&sink, [&production, &next, &development]);
        let marker = version.marker.clone();
        let version = Version { secret: latchkey::secret::Secret::parse(version.secret.expose()).unwrap(), marker };
        async move {
            for place in places {
                let seen = look(sink, place).await.unwrap();
                write(sink, place, &version, &seen).await.unwrap();
            }
        }
    };
    write_everywhere(&version).await;
    // Nothing was ever deployed, so nobody reads anything older.
    assert_eq!(held(&sink, &production).await.lagging, None);
    vendor.deploy("production", None);
    vendor.deploy("preview", Some("next"));
    assert_eq!(held(&sink, &production).await.lagging, None);
    write_everywhere(&version.next()).await;
    let asked = || ["GET /v9/projects/acme-web", "GET /v6/deployments"].map(|call| bench.vercel.count(call));
    let [project, list] = asked();
    let looks = sink.look(&[&production, &next, &development]).await;
    assert_eq!(asked(), [project + 1, list + 1], "one question a project and one for previews, none for development");
    let lagging: Vec<bool> =
        looks.iter().map(|seen| matches!(seen, Ok(Seen::Holds(SeenEntry { lagging: Some(_), .. })))).collect();
    assert_eq!(lagging, [true, true, false]);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(version.secret.expose()));
    // Others do not help: one that still builds, one that serves nobody, one of another branch.
    vendor.deployment("production", None, "BUILDING", "PROMOTED");
    vendor.deployment("production", None, "READY", "STAGED");
    vendor.deploy("preview", Some("other"));
    assert!(held(&sink, &production).await.lagging.unwrap().contains("no production deployment"));
    assert!(held(&sink, &next).await.lagging.unwrap().contains("of `next`"));
    vendor.deploy("production", None);
    vendor.deploy("preview", Some("next"));
    assert_eq!(held(&sink, &production).await.lagging, None);
    assert_eq!(held(&sink, &next).await.lagging, None);
    vendor.hide_deployments();
    let blind = held(&sink, &production).await;
    assert!(blind.lagging.unwrap().contains("cannot be read"), "what cannot be seen may lag");
    assert!(blind.fingerprint.is_some());
}

/// Whether consumers of a place are waited for, and why.
async fn waits(sink: &Sink, place: &Place) -> Option<String> {
    held(sink, place).await.lagging
}

/// Writes the next version to a place that shows one.
async fn rotate(sink: &Sink, place: &Place, version: &Version) -> Version {
    let (next, seen) = (version.next(), look(sink, place).await.unwrap());
    write(sink, place, &next, &seen).await.unwrap();
    next
}

#[tokio::test]
async fn every_branch_with_a_preview_is_waited_for_by_name() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let place = place(&sink, "API_TOKEN", preview(None)).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    for branch in [Some("staging"), Some("fix-typo"), Some("merged"), Some("deleted"), None] {
        vendor.deploy("preview", branch);
    }
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
    rotate(&sink, &place, &first).await;
    vendor.delete_previews("deleted");
    // A newer preview of another branch, and one that is not ready, help nobody.
    vendor.deploy("preview", Some("fix-typo"));
    vendor.deployment("preview", Some("staging"), "ERROR", "PROMOTED");
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `@`, `merged`, `staging` is newer than the variable"), "{why}");
    assert_eq!(vendor.serving("API_TOKEN", "preview", Some("staging")).as_deref(), Some(first.secret.expose()));
    // However many deployments there are, and whichever page a branch is on.
    vendor.deployment_pages(2);
    let before = bench.vercel.count("GET /v6/deployments");
    assert_eq!(waits(&sink, &place).await.as_deref(), Some(why.as_str()));
    assert!(bench.vercel.count("GET /v6/deployments") > before + 1);
    vendor.deploy("preview", Some("staging"));
    vendor.deploy("preview", None);
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `merged` is newer") && why.contains("--forget-branch"), "{why}");
    vendor.deploy("preview", Some("merged"));
    assert_eq!(waits(&sink, &place).await, None);
}

#[tokio::test]
async fn a_push_names_the_branches_that_count_and_a_run_those_that_do_not() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let named = |branches: &[&str]| PushDeclaration {
        environment: Some(preview(None)),
        branches: Some(branches.iter().map(|branch| (*branch).to_owned()).collect()),
        ..PushDeclaration::plain("web", "API_TOKEN")
    };
    let place = sink.place(&named(&["staging", "qa"])).await.unwrap();
    assert_eq!(place.id(), super::place(&bench.sink_for(&bench.settings()), "API_TOKEN", preview(None)).await.id());
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    for branch in ["staging", "qa", "merged"] {
        vendor.deploy("preview", Some(branch));
    }
    rotate(&sink, &place, &first).await;
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no preview deployment of `qa`, `staging` is newer"), "{why}");
    vendor.deploy("preview", Some("qa"));
    let forgotten = Arc::new(ForgottenBranches::new(["staging", "slip"].map(str::to_owned).into()));
    sink.forget_branches(&forgotten);
    assert_eq!(waits(&sink, &place).await, None);
    assert_eq!(forgotten.unmet(), ["slip"]);
    // Declared without them, all count.
    let all = PushDeclaration { branches: None, ..named(&[]) };
    let place = sink.place(&all).await.unwrap();
    assert!(waits(&sink, &place).await.unwrap().starts_with("no preview deployment of `merged` is newer"));
}

#[tokio::test]
async fn a_branch_with_a_row_of_its_own_reads_that_one() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let (general, own) =
        (place(&sink, "API_TOKEN", preview(None)).await, place(&sink, "API_TOKEN", preview(Some("next"))).await);
    let first = Version::first();
    write(&sink, &general, &first, &Seen::Absent).await.unwrap();
    // This one still read the row for all branches.
    vendor.deploy("preview", Some("next"));
    write(&sink, &own, &Version::first(), &Seen::Absent).await.unwrap();
    rotate(&sink, &general, &first).await;
    assert!(waits(&sink, &general).await.unwrap().contains("of `next`"));
    vendor.deploy("preview", Some("next"));
    rotate(&sink, &general, &first.next()).await;
    assert_eq!(waits(&sink, &general).await, None, "it was made with the row of its own");
}

#[tokio::test]
async fn production_is_told_by_the_deployment_that_is_live() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    let place = place(&sink, "API_TOKEN", Environment::Production).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    vendor.deploy("production", None);
    vendor.deployment("production", None, "READY", "STAGED");
    let second = rotate(&sink, &place, &first).await;
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
    // Gone back in an incident.
    vendor.roll_back(0);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(first.secret.expose()));
    assert!(waits(&sink, &place).await.unwrap().contains("rolled back"));
    // Until a person moves it again, what is deployed serves nobody.
    vendor.deploy("production", None);
    assert!(waits(&sink, &place).await.unwrap().contains("rolled back"));
    vendor.promote(3);
    assert_eq!(waits(&sink, &place).await, None);
    assert_eq!(vendor.serving("API_TOKEN", "production", None).as_deref(), Some(second.secret.expose()));
    // One that was made before the variable is used only now.
    vendor.promote(1);
    assert!(waits(&sink, &place).await.unwrap().contains("no production deployment is newer"));
    // An older commit that is built again reads what is there now.
    vendor.deploy("production", None);
    assert_eq!(waits(&sink, &place).await, None);
}

#[tokio::test]
async fn a_custom_environment_is_told_by_its_own_deployments() {
    let (bench, sink) = started().await;
    let vendor = bench.vercel.vendor();
    vendor.environment("env_staging", "staging");
    let place = place(&sink, "API_TOKEN", Environment::Custom("staging".to_owned())).await;
    let first = Version::first();
    write(&sink, &place, &first, &Seen::Absent).await.unwrap();
    vendor.deploy("staging", Some("main"));
    vendor.deploy("staging", Some("release"));
    rotate(&sink, &place, &first).await;
    vendor.deploy("preview", Some("release"));
    vendor.deploy("staging", Some("main"));
    let why = waits(&sink, &place).await.unwrap();
    assert!(why.starts_with("no staging deployment of `release` is newer"), "{why}");
    vendor.deploy("staging", Some("release"));
    assert_eq!(waits(&sink, &place).await, None);
    // Its address was moved back to the first.
    vendor.names("staging", 0);
    assert!(waits(&sink, &place).await.unwrap().contains("the staging deployment that is live is older"));
    vendor.names("staging", 3);
    assert_eq!(waits(&sink, &place).await, None);
}
