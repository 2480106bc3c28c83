//! Where a token is seen: the address that a notice gives instead of a secret.

use latchkey::token::TokenKey;
use latchkey_sinks::transport::{Address, percent_encode};

/// Stands for the token's owner, and for its name.
const PLACEHOLDERS: [&str; 2] = ["{user}", "{name}"];

/// The longest address, in bytes.
const LONGEST: usize = 500;

/// An address with `{user}` and `{name}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(String);

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a link is `https://`, a host and a path of at most {LONGEST} bytes, with `{{user}}` and `{{name}}` where they belong"
)]
pub struct LinkError;

impl Link {
    /// Reads an address. What a medium could take for more than an address is refused.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (scheme, rest) = text.split_once("://").ok_or(LinkError)?;
        let host = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
        Address::parse(&format!("{scheme}://{host}")).map_err(|_| LinkError)?;
        let plain = PLACEHOLDERS.iter().fold(rest[host.len()..].to_owned(), |rest, word| rest.replace(word, ""));
        let is_safe = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{}|".contains(&byte);
        let is_good = text.len() <= LONGEST && plain.bytes().all(is_safe);
        is_good.then(|| Self(text.to_owned())).ok_or(LinkError)
    }

    /// The address of one token.
    pub fn of(&self, token: &TokenKey) -> String {
        let [user, name] = [token.user.as_str(), token.name.as_str()].map(|part| {
            let mut encoded = String::new();
            percent_encode(part, &mut encoded);
            encoded
        });
        // Neither has a brace once it is encoded.
        self.0.replace(PLACEHOLDERS[0], &user).replace(PLACEHOLDERS[1], &name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_one_token_whatever_it_is_called() {
        let token = TokenKey::new("ci@example.com".parse().unwrap(), "a.b_c-d".parse().unwrap());
        let link = Link::parse("https://tokens.example.com/#/users/{user}/tokens/{name}?x=1").unwrap();
        assert_eq!(link.of(&token), "https://tokens.example.com/#/users/ci%40example.com/tokens/a.b_c-d?x=1");
        assert_eq!(Link::parse("https://a.example").unwrap().of(&token), "https://a.example");
    }

    #[test]
    fn what_could_be_more_than_an_address_is_no_link() {
        for bad in [
            "javascript://alert(1)",
            "http://example.com/{name}",
            "https://{user}.example.com/",
            "https://a.example/<b>",
            "https://a.example/ b",
            "https://a.example/\nX: y",
            "https://a.example/{other}",
            "https://user@a.example/",
            "https://",
            "a.example/{name}",
            "",
        ] {
            assert_eq!(Link::parse(bad), Err(LinkError), "{bad}");
        }
    }
}
