//! The tables `[service]` and `[defaults]`.

use latchkey::name::UserName;

use super::durations::Durations;
use super::{NamedBy, ServiceAddress};
use latchkey_sinks::reading::{Fault, Fields, Reading, Section, Span, Text, shown};

/// The parts of Amazon's host names that mean DynamoDB.
const DYNAMODB: &[&str] = &["dynamodb", "dynamodb-fips"];

/// What tokens start from.
pub(super) struct Defaults {
    pub(super) user: Option<(UserName, Span)>,
    pub(super) durations: Durations,
}

pub(super) fn defaults(section: Option<&Section<'_>>, reading: &mut Reading<'_>) -> Defaults {
    let built_in = Durations::built_in();
    let Some(section) = section else { return Defaults { user: None, durations: built_in } };
    let mut fields = Fields::new(section.table, "`[defaults]`".to_owned(), section.header.clone());
    let durations = Durations::read(&mut fields, reading, &built_in);
    durations.check(reading);
    let user = fields.text("user", reading);
    let user = user.and_then(|found| Some((reading.name(&found, "a user's name")?, found.span)));
    fields.finish(reading);
    Defaults { user, durations }
}

/// Reads `[service]`: exactly one of `embedded`, `table` and `url`.
pub(super) fn service(section: &Section<'_>, reading: &mut Reading<'_>) -> Option<ServiceAddress> {
    let mut fields = Fields::new(section.table, "`[service]`".to_owned(), section.header.clone());
    let embedded = fields.text("embedded", reading);
    let table = fields.text("table", reading);
    let url = fields.text("url", reading);
    let region = fields.text("region", reading);
    let endpoint = fields.text("endpoint", reading);
    check_one_kind(&mut fields, reading);
    let region = reading.region(region);
    let endpoint = reading.endpoint(endpoint, DYNAMODB);
    let address = match (embedded, table, url) {
        (Some(file), _, _) => reading.file(&file, "embedded").map(ServiceAddress::Embedded),
        (_, Some(name), _) => table_name(&name, reading).map(|name| ServiceAddress::Table { name, region, endpoint }),
        (_, _, Some(url)) => reading.server(&url).map(|url| ServiceAddress::Url { url, by: NamedBy::Manifest }),
        _ => None,
    };
    fields.finish(reading);
    address
}

fn check_one_kind(fields: &mut Fields<'_>, reading: &mut Reading<'_>) {
    const HINT: &str = "set one of `embedded = \"latchkey.db\"`, `table = \"latchkey\"` and `url = \"https://..\"`";
    let mut kinds: Vec<(&str, Span)> =
        ["embedded", "table", "url"].into_iter().filter_map(|name| Some((name, fields.key_span(name)?))).collect();
    kinds.sort_by_key(|(_, span)| span.start);
    match kinds.as_slice() {
        [] => {
            let message = "`[service]` has no address".to_owned();
            fields.missing_fault("embedded", |fault| Fault { message, ..fault }.hint(HINT));
        }
        [_] => {}
        [(first, first_span), others @ ..] => {
            for (other, span) in others {
                let message = format!("the service has one address, not both `{first}` and `{other}`");
                let fault = Fault::error("two-services", span.clone(), message).hint(HINT);
                reading.add(fault.related(first_span.clone(), "already set here"));
            }
        }
    }
    if fields.has("table") {
        return;
    }
    for name in ["region", "endpoint"] {
        if let Some(span) = fields.key_span(name) {
            reading.add(Fault::error("needs-table", span, format!("`{name}` is only for a `table`")));
        }
    }
}

fn table_name(found: &Text<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let good = (3..=255).contains(&found.text.len())
        && found.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if good {
        return Some(found.text.to_owned());
    }
    let message = format!("`{}` cannot be a table's name", shown(found.text));
    let rule = "a table's name is 3 to 255 letters, digits, `_`, `.` or `-`";
    reading.add(Fault::error("bad-name", found.span.clone(), message).hint(rule));
    None
}
