//! SES and EventBridge: what moto has of them takes our requests, and AWS's own signer signs them the same.

use tests::engines::Moto;
use tests::provision::{Ran, World};
use tests::receiver::{Receiver, prepare_aws, received_by_aws, signed_for_aws};

const LOGIN: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "login")];

fn tables(endpoint: &str) -> [(&'static str, String); 2] {
    let at = format!("region = \"eu-west-1\"\nendpoint = \"{endpoint}\"\n");
    [
        (
            "mails",
            format!(
                "type = \"email\"\nfrom = \"latchkey@example.com\"\nto = [\"ops@example.com\", \"team@example.com\"]\n{at}"
            ),
        ),
        ("bus", format!("type = \"eventbridge\"\nbus = \"ops\"\n{at}")),
    ]
}

struct Settings(World);

impl Settings {
    fn at(endpoint: &str) -> Self {
        let settings = Self(World::new());
        for (name, table) in tables(endpoint) {
            settings.set(name, &table);
        }
        settings
    }

    fn set(&self, name: &str, table: &str) {
        self.0.pipe(&format!("settings set notify.{name} - --service embedded:latchkey.db"), table).exits(0);
    }

    fn test(&self, name: &str) -> Ran {
        self.0.run_in(&LOGIN, &format!("notify test {name} --service embedded:latchkey.db"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn motos_ses_and_eventbridge_take_notices() {
    let moto = Moto::start().await;
    let endpoint = format!("http://{}", moto.address());
    prepare_aws(&endpoint);
    let settings = Settings::at(&endpoint);
    assert_eq!(received_by_aws(&endpoint), (0, 0));
    let mailed = settings.test("mails").exits(0);
    assert!(mailed.stdout.starts_with("`mails` took the test notice `test-"), "{}", mailed.stdout);
    settings.test("bus").exits(0);
    // A mail counts for each of its addresses.
    assert_eq!(received_by_aws(&endpoint), (2, 1));
    // An address that SES has not verified may not send, and its sentence about that is not repeated.
    let [(_, mails), _] = tables(&endpoint);
    settings.set("mails", &mails.replace("latchkey@example.com", "somebody@example.com"));
    let refused = settings.test("mails").exits(1);
    assert!(
        refused.stderr.contains("`mails` did not take the test notice: `127.0.0.1` answered 4"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("verified"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_signed_as_awss_own_library_signs_them() {
    let clock = std::sync::Arc::new(latchkey::clock::SystemClock);
    let receiver = Receiver::with(clock, "{\"FailedEntryCount\":0,\"Entries\":[{\"EventId\":\"1\"}]}").await;
    let settings = Settings::at(&receiver.url(""));
    for name in ["mails", "bus", "mails", "bus"] {
        settings.test(name).exits(0);
    }
    let (mails, events) = (receiver.got("/v2/email/outbound-emails"), receiver.got("/"));
    assert_eq!((signed_for_aws(&mails, "ses"), signed_for_aws(&events, "events")), (2, 2));
    assert_eq!(events[0].headers["x-amz-target"], "AWSEvents.PutEvents");
    let told = settings.0.told();
    assert!(!told.contains("Signature") && !told.contains("AKIATEST"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_bus_refuses_is_not_taken() {
    let clock = std::sync::Arc::new(latchkey::clock::SystemClock);
    let refusal =
        "{\"FailedEntryCount\":1,\"Entries\":[{\"ErrorCode\":\"ThrottlingException\",\"ErrorMessage\":\"hidden\"}]}";
    let receiver = Receiver::with(clock, refusal).await;
    let settings = Settings::at(&receiver.url(""));
    let refused = settings.test("bus").exits(1);
    assert!(refused.stderr.contains("`127.0.0.1` refused the event: ThrottlingException"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hidden"));
    let no_login = settings.0.run("notify test bus --service embedded:latchkey.db").exits(1);
    assert!(no_login.stderr.contains("no AWS credentials were found"), "{}", no_login.stderr);
}
