//! Whom functions trust: the table's certificate has to stand under a root that they know.

use std::io::Write as _;

use tests::lambda::{Endpoint, Tls, events};

use super::{function, token};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_over_tls_is_reached_if_its_root_is_known_and_not_otherwise() {
    let tls = Tls::new();
    let endpoint = Endpoint::over_tls(&tls).await;
    let created = token(&endpoint).await;
    let mut root = tempfile::NamedTempFile::new().unwrap();
    root.write_all(tls.root.as_bytes()).unwrap();
    let event = events::authorizer(created.secret.expose());

    let trusting = function("authorize", &endpoint).with("LATCHKEY_ROOTS", root.path().to_str().unwrap()).start().await;
    assert_eq!(trusting.invoke(&event).await.unwrap()["isAuthorized"], true);

    for roots in ["pinned", "native"] {
        let started = function("authorize", &endpoint).with("LATCHKEY_ROOTS", roots).start().await;
        started.invoke(&event).await.unwrap_err();
        let log = started.log(2).await;
        let told = log[1]["internal"].as_str().unwrap();
        assert!(told.contains("certificate"), "{roots}: {told}");
    }
}
