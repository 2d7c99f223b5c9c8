//! How many sessions each account has.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// Counts the sessions of each account. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<BTreeMap<String, u16>>>);

/// A session's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    name: String,
}

impl Places {
    /// Takes a place, if fewer than `most` sessions of this account have one.
    pub(super) fn take(&self, name: &str, most: Option<u16>) -> Option<Place> {
        let mut places = self.0.lock();
        let taken = places.get(name).copied().unwrap_or(0);
        if taken >= most.unwrap_or(u16::MAX) {
            return None;
        }
        places.insert(name.to_owned(), taken + 1);
        Some(Place {
            places: self.clone(),
            name: name.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.0.lock();
        if let Some(taken) = places.get_mut(&self.name) {
            *taken -= 1;
            if *taken == 0 {
                places.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_no_more_places_than_it_may_have() {
        let places = Places::default();
        let one = places.take("alice", Some(2)).unwrap();
        let _two = places.take("alice", Some(2)).unwrap();
        assert!(places.take("alice", Some(2)).is_none());
        let other = places.take("bob", None).unwrap();
        drop((one, other));
        assert!(places.take("alice", Some(2)).is_some());
        assert_eq!(
            places.0.lock().len(),
            1,
            "accounts without sessions are forgotten"
        );
    }
}
