//! Rows all together, where the names do not give their order or do not tell which are shown.

use std::collections::HashSet;

use protocol::request::{Order, OrderBy};

use super::{
    budget::Charged,
    names::{Names, is_uuid},
    stats::Row,
};
use crate::storage::root::What;

/// Leaves out directories that are named like the UUID of a datastore and to which a link leads:
/// its label.
pub(super) fn hide_uuid_aliases(rows: &mut Charged<Row>, names: &Names) {
    let links = rows.iter().filter(|row| row.shown.through_link);
    let directories = links.filter(|row| row.shown.stat.what == What::Directory);
    let linked: HashSet<_> = directories
        .map(|row| (row.shown.stat.device, row.shown.stat.inode))
        .collect();
    rows.retain(|row| {
        row.shown.through_link
            || !linked.contains(&(row.shown.stat.device, row.shown.stat.inode))
            || !is_uuid(names.bytes(row.name))
    });
}

/// Brings rows into this order, those that are equal by name. By name alone, they are already.
pub(super) fn sort(rows: &mut [Row], names: &Names, order: Order) {
    let what: fn(&Row) -> (i64, u32) = match order.by {
        OrderBy::Name => return,
        OrderBy::Modified => |row| {
            (
                row.shown.stat.modified.seconds,
                row.shown.stat.modified.nanoseconds,
            )
        },
        OrderBy::Size => |row| (i64::try_from(row.shown.stat.size).unwrap_or(i64::MAX), 0),
    };
    rows.sort_unstable_by(|one, other| {
        let by_name = || names.bytes(one.name).cmp(names.bytes(other.name));
        what(other).cmp(&what(one)).then_with(by_name)
    });
    if order.reversed {
        rows.reverse();
    }
}
