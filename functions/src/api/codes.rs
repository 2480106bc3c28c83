//! All codes of problems, for people: what each means and what to do about it. Every reply is held to this list while
//! assertions are on.

use super::problem::Problem;

/// A code that problems have.
#[derive(Debug, Clone, Copy)]
pub struct ProblemCode {
    /// The HTTP status that it comes with.
    pub status: u16,
    /// The code itself.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The members that a problem may have besides those that all have.
    pub members: &'static [&'static str],
}

impl ProblemCode {
    /// All of them, by status.
    pub const ALL: &'static [Self] = &[
        of(400, "invalid_request", "the request cannot be read", "correct what `detail` names", &[]),
        of(401, "unauthenticated", "no token was sent", "send `Authorization: Bearer SECRET`", &[]),
        of(
            401,
            "invalid_token",
            "the token is not valid, whatever is wrong with it: mistyped, unknown, expired, revoked, suspended, or used from \
             a network that is not allowed",
            "use another token; its owner sees why with `provision token find`",
            &[],
        ),
        of(
            403,
            "insufficient_scope",
            "the token lacks a permission",
            "use a token with the one in `permission`",
            &["permission"],
        ),
        of(
            403,
            "gain_refused",
            "it would grant permissions, networks or time that the caller's own token does not have",
            "ask for less, or use a token that has it all",
            &["permissions", "until"],
        ),
        of(
            403,
            "not_granted",
            "the manifest is not allowed to grant this",
            "have an admin extend its grant: `provision manifest grant NAME --from FILE`",
            &["manifest"],
        ),
        of(
            403,
            "not_by_manifest",
            "no manifest may grant this permission",
            "leave it out, or grant it by hand",
            &["permission"],
        ),
        of(
            403,
            "role_not_held",
            "the user does not have these roles",
            "give them to the user first, or leave them out",
            &["roles"],
        ),
        of(403, "reserved", "only an operator may change this role", "do it on the table itself", &[]),
        of(
            403,
            "not_by_proxy",
            "the server speaks plain HTTP with its proxies only",
            "ask the proxy, by https; the token has crossed the network in plain text, so rotate it",
            &[],
        ),
        of(
            404,
            "not_found",
            "it is not there, or the token is not allowed to see it",
            "check the name and the permissions of the token",
            &[],
        ),
        of(405, "method_not_allowed", "the path has no such method", "use one of those in the header `Allow`", &[]),
        of(408, "request_timeout", "the body did not arrive in time", "send it again", &[]),
        of(409, "name_taken", "the user has an active token of that name", "choose another name", &["managed_by"]),
        of(
            409,
            "token_limit_reached",
            "the user has as many active tokens as allowed",
            "delete one, or have an admin raise `max_tokens`",
            &["active", "max"],
        ),
        of(409, "user_suspended", "the user is suspended", "restore the user first", &[]),
        of(409, "user_kind", "the type of a user cannot be changed", "create another user", &[]),
        of(
            409,
            "in_use",
            "users have the role, or the user has active tokens",
            "remove it from them, or delete them, first",
            &["holders", "active"],
        ),
        of(409, "other_manifest", "another manifest declares it", "change it there, or move it", &["managed_by"]),
        of(
            409,
            "move_not_agreed",
            "the manifest that declares it has not agreed to the move",
            "set `moved_to` there and apply it first",
            &["managed_by"],
        ),
        of(
            409,
            "token_replaced",
            "the name belongs to another token now",
            "read it again, and decide by its `id`",
            &["id"],
        ),
        of(
            409,
            "older_revision",
            "a newer revision of the manifest was published",
            "publish the newer one",
            &["revision", "newer"],
        ),
        of(
            409,
            "publication_overtaken",
            "another run has begun to publish the manifest",
            "begin again if yours is the newer one",
            &["number"],
        ),
        of(
            409,
            "lease_held",
            "another run of the manifest is active",
            "wait until `until`; steal the lease only if that run is dead",
            &["by", "until"],
        ),
        of(
            409,
            "clock_behind",
            "the clock of the table's machine is behind what the table has seen; nothing was changed",
            "set the clock; if it is right, pass `--clock-is-right` on that machine",
            &["now", "seen"],
        ),
        of(409, "superseded", "a newer version was staged", "go on with the one in `highest`", &["number", "highest"]),
        of(409, "version_not_live", "the version is not valid any more", "stage a new one", &["number"]),
        of(409, "no_such_place", "the token has no such place", "declare it first", &["place"]),
        of(
            409,
            "not_announced",
            "there is no such announcement",
            "announce the version before it is written",
            &["number"],
        ),
        of(
            409,
            "not_delivered",
            "the version is not in every declared place",
            "deliver it to the others first",
            &["number", "missing"],
        ),
        of(
            409,
            "too_many_versions",
            "as many versions of the token are valid as can be",
            "retire older ones first: see why their places are not reached",
            &["live"],
        ),
        of(409, "is_current", "the version is the current one", "promote a newer one first", &["number"]),
        of(409, "not_superseded", "no newer version is current", "promote a newer one first", &["number"]),
        of(409, "overlap_not_over", "the overlap has not ended", "wait until `until`", &["number", "until"]),
        of(
            409,
            "announced_lately",
            "the version was announced a moment ago, so a write may be under way",
            "wait until `until`",
            &["number", "until"],
        ),
        of(
            409,
            "recently_used",
            "somebody used the version recently",
            "have them read the newer one; `force` retires it all the same",
            &["number", "last_used", "until"],
        ),
        of(409, "stale_look", "the look at the places is too old, or the token has changed since", "look again", &[]),
        of(409, "still_declared", "the place is still declared", "remove its push first", &[]),
        of(
            409,
            "overlap_declared",
            "the overlap of a token of a manifest is the one that is declared",
            "leave `overlap` out",
            &[],
        ),
        of(
            412,
            "precondition_failed",
            "it has changed since the revision in `If-Match`",
            "read it again, and repeat the change if it is still wanted",
            &["wanted", "revision"],
        ),
        of(413, "too_large", "the body is too long", "send less at once", &[]),
        of(
            415,
            "unsupported_media_type",
            "the body has another media type than the route takes",
            "send `Content-Type: application/json`",
            &[],
        ),
        of(
            422,
            "invalid_field",
            "fields or parameters are invalid",
            "correct those in `errors`",
            &["until", "managed_by"],
        ),
        of(422, "no_such_role", "there is no such role", "create it first", &["role"]),
        of(422, "receipt_too_long", "the receipt of a delivery is too long", "shorten it", &[]),
        of(422, "too_many_places", "the token would have too many places", "declare fewer", &[]),
        of(
            429,
            "too_many_requests",
            "the address asks more often than `provision serve --pace` allows",
            "wait as long as `Retry-After` says",
            &[],
        ),
        of(431, "headers_too_large", "the headers are too long", "send fewer or shorter ones", &[]),
        of(500, "internal", "an unexpected error", "look into the log for `request_id`", &[]),
        of(503, "busy", "the table is busy", "wait as long as `Retry-After` says and send it again", &[]),
        of(
            503,
            "unavailable",
            "the table did not answer; whether it was done is unknown",
            "look before you send it again",
            &[],
        ),
        of(
            503,
            "storage_failed",
            "the file of the table cannot be read or written; nothing was done",
            "have whoever runs the service look at disk and permissions",
            &[],
        ),
    ];

    /// Whether a problem is as the list has it.
    pub(super) fn lists(problem: &Problem) -> bool {
        let listed = Self::ALL.iter().find(|listed| listed.code == problem.code);
        listed.is_some_and(|listed| {
            listed.status == problem.status && problem.more.keys().all(|name| listed.members.contains(&name.as_str()))
        })
    }
}

const fn of(
    status: u16,
    code: &'static str,
    meaning: &'static str,
    fix: &'static str,
    members: &'static [&'static str],
) -> ProblemCode {
    ProblemCode { status, code, meaning, fix, members }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use regex::Regex;

    use super::*;

    /// All codes that the sources of the API and of the server give to a problem.
    fn given() -> BTreeSet<String> {
        let code = Regex::new(
            r#"(?:Problem::new|Self::new)\(\s*\d{3},\s*"([a-z_]+)"|conflict\("([a-z_]+)"\)|\bcode: "([a-z_]+)""#,
        );
        let code = code.unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut given = BTreeSet::new();
        for folder in ["src/api", "../provisioner/src/server"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() || path.ends_with("codes.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                given
                    .extend(code.captures_iter(text).filter_map(|found| {
                        found.iter().skip(1).flatten().next().map(|code| code.as_str().to_owned())
                    }));
            }
        }
        given
    }

    #[test]
    fn every_code_that_is_given_is_listed_once_and_no_other() {
        let listed: BTreeSet<String> = ProblemCode::ALL.iter().map(|listed| listed.code.to_owned()).collect();
        assert_eq!(listed.len(), ProblemCode::ALL.len());
        assert_eq!(given(), listed);
        assert!(ProblemCode::ALL.is_sorted_by_key(|listed| listed.status));
    }
}
