//! The page: four files, the same from every front. They hold nothing of anybody; what they show they ask of the API with
//! the token that a person signs in with.

use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::{Request, Response};
use crate::secret::Digest;

/// One file.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
    packed: OnceLock<Packed>,
}

/// What is computed of a file once.
struct Packed {
    tag: String,
    gzip: Option<Vec<u8>>,
}

/// The script is one module, kept in parts.
const SCRIPT: &str = concat!(
    include_str!("../page/script/10-elements.js"),
    include_str!("../page/script/20-words.js"),
    include_str!("../page/script/30-service.js"),
    include_str!("../page/script/40-shell.js"),
    include_str!("../page/script/50-sign-in.js"),
    include_str!("../page/script/60-tokens.js"),
    include_str!("../page/script/61-token.js"),
    include_str!("../page/script/62-ending.js"),
    include_str!("../page/script/63-new.js"),
    include_str!("../page/script/70-people.js"),
    include_str!("../page/script/80-manifests.js"),
    include_str!("../page/script/90-events.js"),
);

static FILES: [File; 4] = [
    File::new("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    File::new("/page/page.js", "text/javascript; charset=utf-8", SCRIPT),
    File::new("/page/page.css", "text/css; charset=utf-8", include_str!("../page/page.css")),
    File::new("/page/mark.svg", "image/svg+xml", include_str!("../page/mark.svg")),
];

/// Nothing from elsewhere, no markup out of text, no frame around it, nowhere to send a form.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";
/// The mark has a style of its own, which changes with the colours of its reader.
const MARK_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl File {
    const fn new(path: &'static str, kind: &'static str, text: &'static str) -> Self {
        Self { path, kind, text, packed: OnceLock::new() }
    }

    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let tag = format!("\"{}\"", &Digest::of(self.text.as_bytes()).hex()[..16]);
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let gzip = encoder.write_all(self.text.as_bytes()).and_then(|()| encoder.finish()).ok();
            Packed { tag, gzip }
        })
    }

    fn response(&self, request: &Request) -> Response {
        let packed = self.packed();
        let lists = |name: &str, wanted: &str| {
            let asked = request.headers.iter().filter(|(held, _)| held.eq_ignore_ascii_case(name));
            asked.flat_map(|(_, list)| list.split(',')).any(|one| one.split(';').next().map(str::trim) == Some(wanted))
        };
        let policy = if self.kind == "image/svg+xml" { MARK_POLICY } else { POLICY };
        let mut headers = vec![
            ("content-type", self.kind.to_owned()),
            ("content-security-policy", policy.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("cross-origin-opener-policy", "same-origin".to_owned()),
            ("cross-origin-resource-policy", "same-origin".to_owned()),
            ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()".to_owned()),
            // It is asked for each time, and answered by nothing where it is the same.
            ("cache-control", "no-cache".to_owned()),
            ("vary", "accept-encoding".to_owned()),
            ("etag", packed.tag.clone()),
        ];
        if lists("if-none-match", &packed.tag) {
            return Response { status: 304, headers, body: Vec::new() };
        }
        let (packing, body) = match &packed.gzip {
            Some(gzip) if lists("accept-encoding", "gzip") => (true, gzip.as_slice()),
            _ => (false, self.text.as_bytes()),
        };
        if packing {
            headers.push(("content-encoding", "gzip".to_owned()));
        }
        Response { status: 200, headers, body: body.to_vec() }
    }
}

/// The reply to a `GET` of one of the page's files; `None` when the path is not one of theirs.
pub fn answer(request: &Request) -> Option<Response> {
    FILES.iter().find(|file| file.path == request.path).map(|file| file.response(request))
}

/// The paths of its files.
pub fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|file| file.path)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn get(path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::default();
        path.clone_into(&mut request.path);
        request.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        answer(&request).unwrap()
    }

    #[test]
    fn every_file_that_the_page_names_is_there_and_nothing_is_from_elsewhere() {
        let html = String::from_utf8(get("/", &[]).body.clone()).unwrap();
        for (attribute, rest) in html.match_indices("href=\"").chain(html.match_indices("src=\"")) {
            let name = html[attribute + rest.len()..].split('"').next().unwrap();
            let path = format!("/{name}");
            assert!(path.starts_with("/v1/") || paths().any(|held| held == path), "{name}");
        }
        let all: String = FILES.iter().map(|file| file.text).collect();
        let elsewhere: Vec<&str> = all
            .match_indices("//")
            .filter(|(at, _)| all[..*at].ends_with("http:") || all[..*at].ends_with("https:"))
            .map(|(at, _)| all[at + 2..].split(['/', '"', '\'']).next().unwrap())
            .filter(|host| *host != "www.w3.org")
            .collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?}");
    }

    /// What CSP could not stop must not be there to begin with.
    #[test]
    fn the_script_parses_no_markup_and_keeps_nothing() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            "sessionStorage",
            "cookie",
            "indexedDB",
        ] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }

    /// What the page says of names is what the service says, and every event has its words.
    #[test]
    fn the_script_knows_the_words_of_the_service() {
        let list = |start: &str, end: char| {
            let rest = &SCRIPT[SCRIPT.find(start).unwrap() + start.len()..];
            rest[..rest.find(end).unwrap()].to_owned()
        };
        let words = list("const EMPTY_WORDS = [", ']');
        let words: Vec<&str> = words.split(", ").map(|word| word.trim_matches('"')).collect();
        assert_eq!(words, crate::name::EMPTY_WORDS);
        let told = list("const ACTIONS = {", '}');
        for kind in crate::event::EventKind::ALL {
            assert!(told.contains(&format!("\"{kind}\"")) || told.contains(&format!("{kind}:")), "{kind}");
        }
    }

    #[test]
    fn a_file_is_sent_packed_to_who_takes_it_and_not_again_to_who_has_it() {
        for path in paths() {
            let plain = get(path, &[]);
            let packed = get(path, &[("accept-encoding", "br;q=1.0, gzip;q=0.8")]);
            assert_eq!((packed.header("content-encoding"), plain.header("content-encoding")), (Some("gzip"), None));
            let mut text = Vec::new();
            GzDecoder::new(packed.body.as_slice()).read_to_end(&mut text).unwrap();
            assert!(text == plain.body, "{path}");
            let tag = plain.header("etag").unwrap();
            let again = get(path, &[("if-none-match", tag)]);
            assert_eq!((again.status, again.body.len()), (304, 0));
            assert!(plain.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        }
        let packed: usize = paths().map(|path| get(path, &[("accept-encoding", "gzip")]).body.len()).sum();
        assert!(packed <= 60 * 1024, "the page weighs {packed} bytes");
        let mut other = Request::default();
        "/v1/me".clone_into(&mut other.path);
        assert!(answer(&other).is_none());
    }
}
