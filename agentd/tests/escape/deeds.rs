//! What else a hostile program does, for tests with a story of their own.

use super::attack::{Loot, Scene};

/// The deed of that name.
pub(crate) fn deed(name: &str) -> Option<fn(&Scene) -> Loot> {
    let deed: fn(&Scene) -> Loot = match name {
        "nothing" => |_| super::attack::nothing(),
        _ => return None,
    };
    Some(deed)
}
