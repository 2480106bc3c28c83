//! Webhooks in the form of Standard Webhooks (<https://www.standardwebhooks.com>): the body is signed together with the id
//! and the time of the try.

use aws_smithy_types::base64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use latchkey_sinks::login::Login;
use latchkey_sinks::reading::{Fields, Reading};
use latchkey_sinks::transport::Outgoing;
use serde_json::json;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::link::Link;
use super::message::Message;
use super::receiver::{Origin, login};

/// The environment variables that a manifest may name without being allowed to.
pub(super) const URL_VARIABLES: &[&str] = &["WEBHOOK_URL"];
const SECRET_VARIABLES: &[&str] = &["WEBHOOK_SECRET"];

/// What a signing secret that is written in base64 begins with.
const PREFIX: &str = "whsec_";
/// The shortest signing secret, in bytes, as Standard Webhooks demands.
const SECRET_MIN: usize = 24;

/// A receiver of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where its address is.
    pub url: Login,
    /// Where the secret is that signs.
    pub secret: Login,
}

impl Settings {
    pub(super) fn read(fields: &mut Fields<'_>, origin: Origin, reading: &mut Reading<'_>) -> Option<Self> {
        let url = login(fields, "url", URL_VARIABLES, origin, reading);
        let secret = login(fields, "secret", SECRET_VARIABLES, origin, reading);
        Some(Self { url: url?, secret: secret? })
    }
}

/// The bytes that sign.
pub(super) struct SigningKey(Zeroizing<Vec<u8>>);

/// A text that is no signing secret; it is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SigningKeyError {
    #[error("does not contain a signing secret: what follows `whsec_` is not base64")]
    NotBase64,
    #[error("contains a signing secret of fewer than {SECRET_MIN} bytes")]
    Short,
}

impl SigningKey {
    /// Reads `whsec_` and base64, or takes any other text as it is.
    pub(super) fn parse(text: &str) -> Result<Self, SigningKeyError> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => base64::decode(encoded).map_err(|_| SigningKeyError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        let key = Self(Zeroizing::new(bytes));
        if key.0.len() < SECRET_MIN { Err(SigningKeyError::Short) } else { Ok(key) }
    }

    /// The signature of a try, as its header has it.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length, RFC 2104 section 2")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", base64::encode(mac.finalize().into_bytes()))
    }
}

/// The request of one try.
pub(super) fn request(
    target: String,
    message: &Message,
    link: Option<&Link>,
    (key, now): (&SigningKey, Timestamp),
) -> Outgoing {
    let body = json!({ "type": message.event_type(), "timestamp": message.at, "data": message.data(link) });
    let body = body.to_string().into_bytes();
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", message.id.clone()),
        ("webhook-timestamp", now.as_second().to_string()),
        ("webhook-signature", key.sign(&message.id, now.as_second(), &body)),
    ];
    Outgoing { method: "POST", target, headers, body: Zeroizing::new(body) }
}

#[cfg(test)]
mod tests {
    use latchkey::notice::NoticeKind;

    use super::super::text::tests::{HOSTILE, notice};
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_try_is_signed_anew_and_has_the_same_id_and_body() {
        let key = SigningKey::parse("a raw secret of thirty two bytes").unwrap();
        let message = Message::of(&notice(NoticeKind::Expiring));
        let at = |second| request("/x".to_owned(), &message, None, (&key, Timestamp::from_second(second).unwrap()));
        let (first, second) = (at(1_800_000_000), at(1_800_000_060));
        assert_eq!(*first.body, *second.body);
        assert_eq!(first.headers[1], second.headers[1]);
        assert_ne!(first.headers[2], second.headers[2]);
        assert_ne!(first.headers[3], second.headers[3]);
    }

    #[test]
    fn the_body_is_json_whatever_people_wrote() {
        let key = SigningKey::parse("a raw secret of thirty two bytes").unwrap();
        let link = Link::parse("https://tokens.example.com/{user}/{name}").unwrap();
        let message = Message::of(&notice(NoticeKind::Expiring));
        let request = request("/x".to_owned(), &message, Some(&link), (&key, message.at));
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["data"]["detail"], HOSTILE);
        assert_eq!(body["data"].get("admin"), None);
        let words: Vec<&str> = body["data"].as_object().unwrap().keys().map(String::as_str).collect();
        insta::assert_snapshot!(words.join(" "), @"id kind at actor from user name token_id manifest version expires detail link");
        assert_eq!((&body["type"], &body["timestamp"]), (&json!("token.expiring"), &json!("2026-11-20T12:00:00Z")));
        assert_eq!(body["data"]["link"], "https://tokens.example.com/ci%40example.com/production-api");
    }

    #[test]
    fn a_signing_secret_is_long_enough_and_never_shown() {
        for (text, wrong) in [
            ("whsec_not base64!", SigningKeyError::NotBase64),
            ("whsec_c2hvcnQ=", SigningKeyError::Short),
            ("short", SigningKeyError::Short),
        ] {
            let error = SigningKey::parse(text).err().unwrap();
            assert_eq!(error, wrong, "{text}");
            assert!(!error.to_string().contains("short") && !error.to_string().contains("not base64!"));
        }
    }
}
