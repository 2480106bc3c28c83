//! Which permission a caller of a route needs, as the document says it. `service::rights` decides; a test asks every route
//! with each permission that is named here, and with all others.

/// Any valid token.
pub(super) const NOTHING: &str = "none: any valid token";

/// Reads tokens of a user.
pub(super) const SEES: &str = "none for the tokens of the caller's own user, with `tokens:write` where that is a service account; `admin:tokens` \
                               for everybody's";

/// Reads what was done with tokens of a user.
pub(super) const AUDITS: &str = "none for the tokens of the caller's own user, with `tokens:write` where that is a service account; \
                                 `admin:tokens` or `admin:audit` for everybody's";

/// Ends a token.
pub(super) const ENDS: &str = "none for the tokens of the caller's own user, with `tokens:write` where that is a service account; `admin:tokens` \
                               for everybody's, or `manifests:NAME` for those of that manifest";

/// Creates or changes a token.
pub(super) const CHANGES: &str = "`tokens:write` for the tokens of the caller's own user, `admin:tokens` for everybody's, or `manifests:NAME` for \
                                  those of that manifest, within its grant";

/// Promotes a version, which for a token of a manifest only its runs do.
pub(super) const PROMOTES: &str = "`manifests:NAME` for a token of that manifest; for others `tokens:write` where they are of the caller's own \
                                   user, else `admin:tokens`";

/// Does what a run of a manifest does.
pub(super) const RUNS: &str = "`manifests:NAME`";

/// Reads what a plan of a manifest needs.
pub(super) const PLANS: &str = "`manifests-read:NAME` or `manifests:NAME`";

/// Reads what is known of a manifest.
pub(super) const READS_MANIFEST: &str = "`manifests-read:NAME`, `manifests:NAME` or `admin:roles`";
