//! What a value tells that was read back whole: which version it is, or that it is none.

use latchkey::secret::{Digest, SECRET_MAX, Secret, TokenId};

use crate::{Receipt, SeenEntry};

/// How a secret ends: its random part with the checksum, behind the last `_`.
const END_LENGTH: usize = 49;
/// The shortest beginning of a secret, as far as the last `_`: `p_<16 digits>`.
const START_MIN: usize = 18;

/// An entry whose value is `value` and nothing else. The hash of a value that is not ours stays in this process.
pub(crate) fn seen_entry(value: &str, receipt: Receipt) -> SeenEntry {
    let whole = Secret::parse(value).ok().map(|secret| secret.token_id());
    let within = if whole.is_some() { None } else { contained(value) };
    let lagging = within.as_ref().map(|_| {
        "its value, changed outside Latchkey, is a text that contains a token's secret, and of which version is unknown"
            .to_owned()
    });
    SeenEntry {
        fingerprint: Some(Digest::of(value.as_bytes()).fingerprint()),
        token_id: whole.or(within),
        receipt,
        former: Vec::new(),
        lagging,
    }
}

/// The token whose secret stands in a text, beside anything else: consumers may take it out.
pub(crate) fn contained(text: &str) -> Option<TokenId> {
    let separators = text.bytes().enumerate().filter(|(_, byte)| *byte == b'_').map(|(at, _)| at);
    for separator in separators.filter(|at| *at >= START_MIN) {
        let end = separator + 1 + END_LENGTH;
        // The checksum covers the prefix, whose length only it tells.
        for start in (end.saturating_sub(SECRET_MAX)..=separator - START_MIN).rev() {
            if let Some(secret) = text.get(start..end).and_then(|part| Secret::parse(part).ok()) {
                return Some(secret.token_id());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use latchkey::entropy::SystemEntropy;
    use latchkey::secret::Prefix;
    use proptest::prelude::*;

    use super::*;

    fn secret(prefix: &str) -> Secret {
        let id = TokenId::mint(&SystemEntropy).unwrap();
        Secret::mint(&prefix.parse::<Prefix>().unwrap(), &id, &SystemEntropy).unwrap()
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_a_text() {
        for prefix in ["k", "lk", "acme_prod_tokens"] {
            let secret = secret(prefix);
            let text = secret.expose();
            for around in ["TEXT", "TEXT\n", "\"TEXT\"", "{\"token\":\"TEXT\",\"a\":1}", "u_x:TEXT@host", "é_TEXT_"] {
                let value = around.replace("TEXT", text);
                assert_eq!(contained(&value), Some(secret.token_id()), "{prefix} {around}");
                let seen = seen_entry(&value, Receipt("r".to_owned()));
                assert_eq!(seen.token_id, Some(secret.token_id()));
                assert_eq!(seen.lagging.is_none(), around == "TEXT");
                assert_eq!(seen.fingerprint == Some(secret.fingerprint()), around == "TEXT");
            }
        }
        let broken = secret("lk").expose().replace("lk_", "lx_");
        assert_eq!(seen_entry(&broken, Receipt(String::new())).token_id, None);
    }

    proptest! {
        #[test]
        fn no_other_text_contains_one(text in "(lk_|_|[a-z0-9]{16}|[A-Za-z0-9]{49}|.){0,12}") {
            let seen = seen_entry(&text, Receipt(String::new()));
            prop_assert_eq!((seen.token_id, seen.lagging), (None, None));
        }
    }
}
