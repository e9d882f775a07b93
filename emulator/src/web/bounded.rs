//! A map that forgets: whatever strangers make it hold, it keeps the newest entries only.

use std::collections::{HashMap, VecDeque};

/// The last so many entries that were inserted, by key.
pub(crate) struct Bounded<V> {
    entries: HashMap<String, V>,
    /// Keys in order of insertion, those of removed entries included.
    order: VecDeque<String>,
    capacity: usize,
}

impl<V> Bounded<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// Inserts under a key that is new; the oldest entry makes room.
    pub(crate) fn insert(&mut self, key: String, value: V) {
        while self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, value);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// The entry that is `wanted`; there is one at most.
    pub(crate) fn find_mut(&mut self, wanted: impl Fn(&V) -> bool) -> Option<&mut V> {
        self.entries.values_mut().find(|value| wanted(value))
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        self.entries.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_are_kept_and_nothing_grows() {
        let mut map = Bounded::new(3);
        for number in 0..1000 {
            map.insert(number.to_string(), number);
            if number % 2 == 0 {
                map.remove(&number.to_string());
            }
        }
        assert!(map.entries.len() <= 3 && map.order.len() == 3);
        assert_eq!((map.get("999"), map.get("998"), map.get("990")), (Some(&999), None, None));
    }
}
