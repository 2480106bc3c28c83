//! Which permission a caller of a route needs, as the document says it. `service::rights` decides; a test asks every route
//! with each permission that is named here, and with all others. One's own tokens are those of the user behind the token in
//! hand.

/// Any valid token.
pub(super) const NOTHING: &str = "none: any valid token";

/// Reads tokens of a user.
pub(super) const SEES: &str =
    "none for one's own tokens (`tokens:write` as a service account), `admin:tokens` for others'";

/// Reads what was done with tokens of a user.
pub(super) const AUDITS: &str =
    "none for one's own tokens (`tokens:write` as a service account), `admin:tokens` or `admin:audit` for others'";

/// Ends a token.
pub(super) const ENDS: &str = "none for one's own tokens (`tokens:write` as a service account), `admin:tokens` for others', \
                               or `manifests:NAME` for the manifest's";

/// Creates or changes a token.
pub(super) const CHANGES: &str =
    "`tokens:write` for one's own tokens, `admin:tokens` for others', or `manifests:NAME` for the manifest's";

/// Promotes a version, which for a token of a manifest only its runs do.
pub(super) const PROMOTES: &str = "`manifests:NAME` for the manifest's tokens; else `tokens:write` for one's own, \
                                   `admin:tokens` for others'";

/// Does what a run of a manifest does.
pub(super) const RUNS: &str = "`manifests:NAME`";

/// Reads what a plan of a manifest needs.
pub(super) const PLANS: &str = "`manifests-read:NAME` or `manifests:NAME`";

/// Reads what is known of a manifest.
pub(super) const READS_MANIFEST: &str = "`manifests-read:NAME`, `manifests:NAME` or `admin:roles`";
