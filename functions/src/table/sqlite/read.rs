//! Reading items and pages of them.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::failure::{failure, unreadable};
use crate::table::engine::{Failure, Page, Range};
use crate::table::item::{Item, Value, size, text};
use crate::table::keys::{DUE, DUE_PK, DUE_SK, Key, MANAGED, MANAGED_PK, PK, SK};

/// How much one page takes at the most, as `DynamoDB` has it.
const PAGE_MAX: usize = 1024 * 1024;
/// Higher than any sort key.
const LAST: &str = "\u{10ffff}";

/// One item.
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Item>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT item FROM items WHERE pk = ?1 AND sk = ?2").map_err(failure)?;
    statement.query_row(params![key.pk, key.sk], |row| Ok(item_of(row, 0))).optional().map_err(failure)?.transpose()
}

fn item_of(row: &Row<'_>, column: usize) -> Result<Item, Failure> {
    let stored = row.get_ref(column).map_err(failure)?.as_str().map_err(unreadable)?;
    serde_json::from_str(stored).map_err(unreadable)
}

/// An item as it is stored.
pub(super) fn stored(item: &Item) -> Result<String, Failure> {
    serde_json::to_string(item).map_err(unreadable)
}

/// A page of a partition.
pub(super) fn query(connection: &Connection, range: &Range<'_>) -> Result<Page, Failure> {
    match range.index {
        None => partition(connection, range),
        Some(MANAGED) => managed(connection, range),
        Some(DUE) => due(connection, range),
        Some(other) => Err(unreadable(format!("there is no index `{other}`"))),
    }
}

/// The lowest and the highest sort key of a range.
fn bounds(range: &Range<'_>) -> (String, String) {
    match (range.prefix, &range.up_to) {
        (Some(prefix), _) => (prefix.to_owned(), format!("{prefix}{LAST}")),
        (None, Some(up_to)) => (String::new(), up_to.clone()),
        (None, None) => (String::new(), LAST.to_owned()),
    }
}

/// The direction of a query, as `SQL` says it: how a page goes on after a row, and in which order.
fn direction(range: &Range<'_>) -> (&'static str, &'static str) {
    if range.backwards { ("<", "DESC") } else { (">", "ASC") }
}

fn partition(connection: &Connection, range: &Range<'_>) -> Result<Page, Failure> {
    let (low, high) = bounds(range);
    let (beyond, order) = direction(range);
    let start = range.start.as_ref().and_then(Key::of).map(|key| key.sk);
    let after = if start.is_some() { format!("AND sk {beyond} ?4 ") } else { "AND ?4 IS NULL ".to_owned() };
    let sql = format!("SELECT item FROM items WHERE pk = ?1 AND sk >= ?2 AND sk <= ?3 {after}ORDER BY sk {order}");
    page(
        connection,
        &sql,
        params![range.partition, low, high, start],
        range.limit,
        |row| item_of(row, 0),
        |item| Key::of(item).map(|key| key.item()),
    )
}

fn managed(connection: &Connection, range: &Range<'_>) -> Result<Page, Failure> {
    let (low, high) = bounds(range);
    let (beyond, order) = direction(range);
    let start = range.start.as_ref().and_then(Key::of);
    let after = if start.is_some() { format!("AND (pk, sk) {beyond} (?4, ?5) ") } else { "AND ?4 IS ?5 ".to_owned() };
    let sql = format!(
        "SELECT managed, pk, sk FROM managed WHERE managed = ?1 AND pk >= ?2 AND pk <= ?3 {after}\
         ORDER BY pk {order}, sk {order}"
    );
    let (pk, sk) = start.map(|key| (key.pk, key.sk)).unzip();
    let item = |row: &Row<'_>| keys_of(row, &[MANAGED_PK, PK, SK]);
    page(connection, &sql, params![range.partition, low, high, pk, sk], range.limit, item, |item| Some(item.clone()))
}

fn due(connection: &Connection, range: &Range<'_>) -> Result<Page, Failure> {
    let (low, high) = bounds(range);
    let (beyond, order) = direction(range);
    let start = range.start.as_ref().and_then(|start| Some((text(start, DUE_SK)?.to_owned(), Key::of(start)?)));
    let after = if start.is_some() {
        format!("AND (due_at, pk, sk) {beyond} (?4, ?5, ?6) ")
    } else {
        "AND ?4 IS ?5 AND ?5 IS ?6 ".to_owned()
    };
    let sql = format!(
        "SELECT due, due_at, pk, sk FROM due WHERE due = ?1 AND due_at >= ?2 AND due_at <= ?3 {after}\
         ORDER BY due_at {order}, pk {order}, sk {order}"
    );
    let (at, key) = start.unzip();
    let (pk, sk) = key.map(|key| (key.pk, key.sk)).unzip();
    let item = |row: &Row<'_>| keys_of(row, &[DUE_PK, DUE_SK, PK, SK]);
    page(connection, &sql, params![range.partition, low, high, at, pk, sk], range.limit, item, |item| {
        Some(item.clone())
    })
}

/// A page of everything.
pub(super) fn scan(connection: &Connection, start: Option<&Item>, limit: Option<i32>) -> Result<Page, Failure> {
    let start = start.and_then(Key::of).unwrap_or_else(|| Key { pk: String::new(), sk: String::new() });
    let sql = "SELECT item FROM items WHERE (pk, sk) > (?1, ?2) ORDER BY pk, sk";
    page(
        connection,
        sql,
        params![start.pk, start.sk],
        limit,
        |row| item_of(row, 0),
        |item| Key::of(item).map(|key| key.item()),
    )
}

fn keys_of(row: &Row<'_>, names: &[&str]) -> Result<Item, Failure> {
    let values = names
        .iter()
        .enumerate()
        .map(|(column, name)| Ok(((*name).to_owned(), Value::S(row.get::<_, String>(column).map_err(failure)?))));
    values.collect()
}

/// Rows up to a limit, or to the most that a page takes; the next one starts after the last of them.
fn page(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    limit: Option<i32>,
    item: impl Fn(&Row<'_>) -> Result<Item, Failure>,
    position: impl Fn(&Item) -> Option<Item>,
) -> Result<Page, Failure> {
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(0));
    let mut statement = connection.prepare_cached(sql).map_err(failure)?;
    let mut rows = statement.query(params).map_err(failure)?;
    let mut found = Page::default();
    let mut taken = 0;
    while let Some(row) = rows.next().map_err(failure)? {
        let item = item(row)?;
        taken += size(&item);
        found.items.push(item);
        if found.items.len() >= most || taken >= PAGE_MAX {
            found.next = found.items.last().and_then(&position);
            break;
        }
    }
    Ok(found)
}
