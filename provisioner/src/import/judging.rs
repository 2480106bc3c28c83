//! Which entries may be tokens of one's own, by their names alone. A guess that errs on the side of leaving things as they
//! are: what is declared by mistake is replaced, what is left out is listed.

use super::naming::words;

/// What an entry's name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may be a token of one's own.
    Token,
    /// It is none, or does not look like one: why, a clause about it.
    Other(String),
}

/// Whose credentials no other service can issue.
const VENDORS: &str = "airtable algolia alchemy amplitude anthropic apple asana auth0 aws azure bitbucket braintree bugsnag \
    buildkite chromatic circleci clerk cloudflare cloudinary codecov cohere contentful datadog deepl digitalocean discord \
    docker dockerhub dropbox elevenlabs expo facebook fastly figma firebase fly gcp gemini gh github gitlab google grafana \
    groq heroku hubspot huggingface instagram intercom jira kinde launchdarkly linear linkedin logtail mailchimp mailgun \
    mapbox microsoft mistral mixpanel mongo mongodb neon netlify newrelic ngrok notion npm okta openai opsgenie pagerduty \
    paypal pinecone plaid planetscale posthog postmark pusher pypi railway recaptcha render replicate resend rollbar \
    salesforce sanity sendgrid sentry shopify slack snyk sonarqube stripe supabase telegram trello turborepo turnstile \
    twilio twitch twitter upstash vercel vonage wandb workos zendesk zoom";
/// What frameworks build into pages.
const PUBLIC: [&[&str]; 8] = [
    &["next", "public"],
    &["nuxt", "public"],
    &["expo", "public"],
    &["react", "app"],
    &["vue", "app"],
    &["vite"],
    &["gatsby"],
    &["public"],
];
/// What a key or a secret of these is: whoever replaces it alone loses what was signed or encrypted with it.
const SIGNING: &str = "app auth0 base cookie crypto csrf xsrf data encryption hmac jwt master nextauth private public rsa \
    salt session sign signing signature ssh webhook";
/// Why such a one stays.
const SIGNS: &str = "it signs or encrypts data, which a new value could not read";
/// What stands before the word `key` where it is one of an API.
const KEY_OF: [&str; 6] = ["api", "access", "auth", "deploy", "service", "token"];
/// What may stand behind the word `token`: which one it is.
const WHICH: &str =
    "prod production stage staging dev develop development test testing preview qa local ci live old new";

fn is_among(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|other| other == word)
}

/// What the name of an entry tells of it.
pub(crate) fn judge(name: &str) -> Verdict {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match other(&words) {
        Some(why) => Verdict::Other(why),
        None => Verdict::Token,
    }
}

fn other(words: &[&str]) -> Option<String> {
    let is_which =
        |word: &&str| is_among(WHICH, word) || word.trim_start_matches('v').bytes().all(|byte| byte.is_ascii_digit());
    let (Some(last), length) = (words.iter().rposition(|word| !is_which(word)), words.len()) else {
        return Some("its name does not tell what it is".to_owned());
    };
    let core = &words[..=last];
    let (end, before) = (core[last], last.checked_sub(1).map_or("", |at| core[at]));
    if PUBLIC.iter().any(|prefix| length > prefix.len() && words.starts_with(prefix)) {
        return Some("it is built into pages that anybody can read".to_owned());
    }
    if matches!(end, "url" | "uri" | "dsn" | "host" | "endpoint" | "string") {
        return Some("an address, with or without credentials in it".to_owned());
    }
    if let Some(vendor) = words.iter().find(|word| is_among(VENDORS, word)) {
        return Some(format!("a credential of another vendor (`{vendor}`)"));
    }
    if matches!(end, "password" | "passwd" | "passphrase" | "pwd" | "pass") {
        return Some("a password".to_owned());
    }
    let signs = |word: &&str| is_among(SIGNING, word);
    match end {
        "base" if before == "key" => Some(SIGNS.to_owned()),
        "key" | "secret" | "salt" if words.len() == 1 || core[..last].iter().any(signs) => Some(SIGNS.to_owned()),
        "secret" if before == "client" => Some("a client's secret, which its identity provider issues".to_owned()),
        "token" | "tokens"
            if core[..last].iter().any(|word| matches!(*word, "csrf" | "xsrf" | "session" | "refresh")) =>
        {
            Some("a token of a session, which is issued anew for each".to_owned())
        }
        "token" | "pat" | "apikey" => None,
        "secret" if before == "api" => None,
        "key" if KEY_OF.contains(&before) => None,
        "key" => Some("a key, and its name does not tell that it is one of an API".to_owned()),
        "secret" | "credential" | "credentials" => {
            Some("a secret, and its name does not tell that it is a token".to_owned())
        }
        "id" => Some("an id".to_owned()),
        _ => Some("its name does not tell that it is a token".to_owned()),
    }
}
