//! Every key of the one table.
//!
//! | item | PK | SK |
//! |---|---|---|
//! | verification | `K#<token id>` | `K` |
//! | token | `U#<user>` | `A#<name>` |
//! | ended token | `U#<user>` | `D#<time>#<id>` |
//! | user | `U#<user>` | `U` |
//! | role | `R` | `<role>` |
//! | event | `E#<user>#<yyyymm>` | `<ulid>` |
//! | usage, the total of a day | `Y#<token id>#<yyyymm>` | `<day>#<process>`, `<day>#=` |
//! | usage of a day to be folded, in the index `due` only | `YD#<0-3>` | when it is |
//! | manifest, its lease | `M#<manifest>` | `M`, `L` |
//! | its publication, a token of that, whose turn it is | `M#<manifest>` | `P`, `P#<user>#<name>`, `Q` |
//! | what the job did with it last | `M#<manifest>` | `J` |
//! | lists | `L` | `U#<user>`, `M#<manifest>` |
//! | a notice that waits, in the index `due` only | `N#<0-3>`, `NM#<manifest>` | when it is tried next |
//! | settings, the first admin, the highest time seen, the last turn of the job | `S` | `S`, `B`, `C`, `J` |

use jiff::{Timestamp, tz::TimeZone};

use super::item::{Item, Value, text};
use crate::name::{ManifestName, RoleName, UserName};
use crate::secret::TokenId;
use crate::token::TokenKey;

/// The name of the partition key.
pub const PK: &str = "PK";
/// The name of the sort key.
pub const SK: &str = "SK";
/// What all active tokens' sort keys start with.
pub const ACTIVE: &str = "A#";
/// What all ended tokens' sort keys start with.
pub const ENDED: &str = "D#";
/// The index of one manifest's tokens: keys only.
pub const MANAGED: &str = "managed";
/// Its partition key.
pub const MANAGED_PK: &str = "managed";
/// The index of what is next due: keys only.
pub const DUE: &str = "due";
/// Its partition key: `DUE#<0-15>` for tokens, `N#<0-3>` and `NM#<manifest>` for notices, `YD#<0-3>` for rows of usage.
pub const DUE_PK: &str = "due";
/// Its sort key, an instant.
pub const DUE_SK: &str = "due_at";

/// The key of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The key as attributes.
    pub fn item(&self) -> Item {
        Item::from([(PK.to_owned(), Value::S(self.pk.clone())), (SK.to_owned(), Value::S(self.sk.clone()))])
    }

    /// The key of an item that was read.
    pub fn of(item: &Item) -> Option<Self> {
        Some(Self { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
    }
}

/// What a check reads.
pub fn verification(id: &TokenId) -> Key {
    Key::new(format!("K#{id}"), "K")
}

/// The partition of a user and the user's tokens.
pub fn user_partition(user: &UserName) -> String {
    format!("U#{user}")
}

/// An active token.
pub fn token(token: &TokenKey) -> Key {
    Key::new(user_partition(&token.user), format!("{ACTIVE}{}", token.name))
}

/// The active token that a key is of.
pub fn token_of(key: &Key) -> Option<TokenKey> {
    let user = key.pk.strip_prefix("U#")?.parse().ok()?;
    Some(TokenKey::new(user, key.sk.strip_prefix(ACTIVE)?.parse().ok()?))
}

/// The shards of [`DUE`].
pub const DUE_SHARDS: u8 = 16;

/// The partition of a shard of [`DUE`].
pub fn due_partition(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// The shard of [`DUE`] that a token is in.
pub fn due_shard(id: &TokenId) -> u8 {
    id.as_str().bytes().fold(0_u8, u8::wrapping_add) % DUE_SHARDS
}

/// The partitions of [`DUE`] that contain the notices which wait.
pub const NOTICE_SHARDS: u8 = 4;

/// One of them.
pub fn notice_partition(shard: u8) -> String {
    format!("N#{shard}")
}

/// The partition of [`DUE`] that contains the notices which only whoever has a manifest's file can send.
pub fn held_partition(manifest: &ManifestName) -> String {
    format!("NM#{manifest}")
}

/// The one that a notice is in, by its ULID.
pub fn notice_shard(ulid: &str) -> u8 {
    ulid.bytes().fold(0_u8, u8::wrapping_add) % NOTICE_SHARDS
}

/// An instant as a sort key of [`DUE`].
pub fn due_at(at: Timestamp) -> String {
    // Zero-padded, so that text order is time order.
    format!("{:015}", at.as_millisecond())
}

/// The instant that a sort key of [`DUE`] is.
pub fn due_instant(sort: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(sort.parse().ok()?).ok()
}

/// The token that a verification item is of.
pub fn verified_id(key: &Key) -> Option<TokenId> {
    key.pk.strip_prefix("K#")?.parse().ok()
}

/// A token that ended.
pub fn ended(user: &UserName, at: Timestamp, id: &TokenId) -> Key {
    // Zero-padded, so that text order is time order.
    Key::new(user_partition(user), format!("{ENDED}{:015}#{id}", at.as_millisecond()))
}

/// A user.
pub fn user(user: &UserName) -> Key {
    Key::new(user_partition(user), "U")
}

/// When the last user of a name was deleted.
pub fn former_user(user: &UserName) -> Key {
    Key::new(user_partition(user), "X")
}

/// The partition of all roles.
pub const ROLES: &str = "R";

/// A role.
pub fn role(role: &RoleName) -> Key {
    Key::new(ROLES, role.as_str())
}

/// The partition of a user's events in the month of `at`.
pub fn events_partition(user: &str, at: Timestamp) -> String {
    format!("E#{user}#{}", month(at))
}

/// An event.
pub fn event(user: &str, at: Timestamp, ulid: &str) -> Key {
    Key::new(events_partition(user, at), ulid)
}

/// The partition of a token's usage in the month of `at`.
pub fn usage_partition(id: &TokenId, at: Timestamp) -> String {
    format!("Y#{id}#{}", month(at))
}

/// The cumulative row of one process and day.
pub fn usage(id: &TokenId, at: Timestamp, process: &str) -> Key {
    Key::new(usage_partition(id, at), format!("{}#{process}", at.to_zoned(TimeZone::UTC).strftime("%d")))
}

/// The row into which those of a day were folded, in the partition of a token and month: no process is called `=`.
pub fn usage_total(partition: &str, day: &str) -> Key {
    Key::new(partition, format!("{day}#="))
}

/// How the rows of the day begin that a row of usage is of.
pub fn usage_day(key: &Key) -> Option<&str> {
    key.sk.split_once('#').map(|(day, _)| day)
}

/// The partitions of [`DUE`] that contain the rows of usage which wait to be folded.
pub const USAGE_SHARDS: u8 = 4;

/// One of them.
pub fn fold_partition(shard: u8) -> String {
    format!("YD#{shard}")
}

/// The one that the rows of a token are in.
pub fn fold_shard(id: &TokenId) -> u8 {
    id.as_str().bytes().fold(0_u8, u8::wrapping_add) % USAGE_SHARDS
}

/// A manifest.
pub fn manifest(manifest: &ManifestName) -> Key {
    Key::new(format!("M#{manifest}"), "M")
}

/// Who applies a manifest now.
pub fn lease(manifest: &ManifestName) -> Key {
    Key::new(format!("M#{manifest}"), "L")
}

/// What a manifest has published for the scheduled job.
pub fn publication(manifest: &ManifestName) -> Key {
    Key::new(format!("M#{manifest}"), "P")
}

/// What all tokens' sort keys of a publication start with.
pub const PUBLISHED: &str = "P#";

/// A token of a publication.
pub fn published(manifest: &ManifestName, token: &TokenKey) -> Key {
    // No name has a `#`.
    Key::new(format!("M#{manifest}"), format!("{PUBLISHED}{}#{}", token.user, token.name))
}

/// The number of the last publication that was begun.
pub fn publishing(manifest: &ManifestName) -> Key {
    Key::new(format!("M#{manifest}"), "Q")
}

/// The token of the first admin.
pub fn first_admin() -> Key {
    Key::new("S", "B")
}

/// The partition of the lists.
pub const LISTS: &str = "L";

/// A user in the list of users.
pub fn user_in_list(user: &UserName) -> Key {
    Key::new(LISTS, user_partition(user))
}

/// What all users' sort keys in the lists start with.
pub const LISTED_USER: &str = "U#";

/// The user that a row of the lists is of.
pub fn listed_user(key: &Key) -> Option<UserName> {
    key.sk.strip_prefix(LISTED_USER)?.parse().ok()
}

/// Whether a row of a user's partition is a token, active or ended.
pub fn is_token_row(key: &Key) -> bool {
    key.sk.starts_with(ACTIVE) || key.sk.starts_with(ENDED)
}

/// What all manifests' sort keys in the lists start with.
pub const LISTED_MANIFEST: &str = "M#";

/// A manifest in the list of manifests.
pub fn manifest_in_list(manifest: &ManifestName) -> Key {
    Key::new(LISTS, format!("{LISTED_MANIFEST}{manifest}"))
}

/// The manifest that a row of the lists is of.
pub fn listed_manifest(key: &Key) -> Option<ManifestName> {
    key.sk.strip_prefix(LISTED_MANIFEST)?.parse().ok()
}

/// What the job did with a manifest last.
pub fn manifest_turn(manifest: &ManifestName) -> Key {
    Key::new(format!("M#{manifest}"), "J")
}

/// How many users and roles a manifest has created by a token.
pub fn created(manifest: &ManifestName) -> Key {
    Key::new(LISTS, format!("N#{manifest}"))
}

/// The settings.
pub fn settings() -> Key {
    Key::new("S", "S")
}

/// The last turn of the job.
pub fn turn() -> Key {
    Key::new("S", "J")
}

/// The highest time that the table has seen.
pub fn clock() -> Key {
    Key::new("S", "C")
}

/// `yyyymm`, UTC.
pub fn month(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m").to_string()
}
