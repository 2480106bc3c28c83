//! Signature version 4 of AWS, for requests that no SDK makes.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use latchkey_sinks::transport::{Address, Outgoing};

/// A request cannot be signed: its address, or one of its headers, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed")]
pub(super) struct Unsignable;

/// Adds the headers that sign a request, valid for some minutes around `now`.
pub(super) fn signed(
    mut outgoing: Outgoing,
    address: &Address,
    (region, service): (&str, &str),
    (credentials, now): (&Credentials, Timestamp),
) -> Result<Outgoing, Unsignable> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| Unsignable)?
        .into();
    let headers = outgoing.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(&outgoing.body);
    let request = SignableRequest::new(outgoing.method, address.join(&outgoing.target), headers, body);
    let (instructions, _) = sign(request.map_err(|_| Unsignable)?, &params).map_err(|_| Unsignable)?.into_parts();
    let (added, _) = instructions.into_parts();
    outgoing.headers.extend(added.iter().map(|header| (header.name(), header.value().to_owned())));
    Ok(outgoing)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn signed_at(token: Option<&str>, headers: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", key, token.map(str::to_owned), None, "example");
        let address = Address::parse("https://example.amazonaws.com").unwrap();
        let outgoing = Outgoing { method: "POST", target: "/".to_owned(), headers, body: Zeroizing::default() };
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let signed = signed(outgoing, &address, ("us-east-1", "service"), (&credentials, now)).unwrap();
        signed.headers.clone()
    }

    fn authorization<'a>(headers: &'a [(&'static str, String)]) -> &'a str {
        &headers.iter().find(|(name, _)| *name == "authorization").unwrap().1
    }

    /// `post-vanilla` and `post-header-key-sort` of AWS's test suite for signature version 4.
    #[test]
    fn signatures_are_those_of_awss_test_suite() {
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let headers = signed_at(None, Vec::new());
        assert_eq!(
            authorization(&headers),
            format!(
                "{scope}, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
            )
        );
        assert!(headers.contains(&("x-amz-date", "20150830T123600Z".to_owned())));
        let headers = signed_at(None, vec![("my-header1", "value1".to_owned())]);
        assert_eq!(
            authorization(&headers),
            format!(
                "{scope}, SignedHeaders=host;my-header1;x-amz-date, Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"
            )
        );
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let headers = signed_at(Some("session"), Vec::new());
        assert!(headers.contains(&("x-amz-security-token", "session".to_owned())));
        assert!(authorization(&headers).contains("SignedHeaders=host;x-amz-date;x-amz-security-token"));
    }
}
