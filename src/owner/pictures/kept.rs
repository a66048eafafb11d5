//! What was asked for last, within a bound of bytes.

use std::collections::VecDeque;

/// Values by key, the one that was asked for last at the end.
#[derive(Debug)]
pub struct Kept<K, V> {
    entries: VecDeque<(K, V, usize)>,
    bytes: usize,
    most: usize,
}

impl<K: PartialEq, V: Clone> Kept<K, V> {
    /// At most `most` bytes of values.
    pub const fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, most }
    }

    /// What is kept under a key, which is looked at by that.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let at = self.entries.iter().position(|(known, ..)| known == key)?;
        let found = self.entries.remove(at)?;
        let value = found.1.clone();
        self.entries.push_back(found);
        Some(value)
    }

    /// Keeps a value of so many bytes; what wasn't looked at for longest goes.
    pub fn put(&mut self, key: K, value: V, bytes: usize) {
        if let Some(at) = self.entries.iter().position(|(known, ..)| *known == key)
            && let Some((.., before)) = self.entries.remove(at)
        {
            self.bytes -= before;
        }
        self.bytes += bytes;
        self.entries.push_back((key, value, bytes));
        while self.bytes > self.most {
            let Some((.., oldest)) = self.entries.pop_front() else { break };
            self.bytes -= oldest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_last_is_kept_within_bounds() {
        let mut kept = Kept::new(9);
        for n in 0..3 {
            kept.put(n, n, 3);
        }
        assert_eq!(kept.get(&0), Some(0), "looked at again");
        kept.put(3, 3, 3);
        assert_eq!([0, 1, 2, 3].map(|n| kept.get(&n)), [Some(0), None, Some(2), Some(3)]);
        kept.put(3, 9, 1);
        assert_eq!((kept.get(&3), kept.bytes), (Some(9), 7), "the same key is one");
        kept.put(4, 4, 10);
        assert_eq!((kept.entries.len(), kept.bytes), (0, 0), "one that is larger than all isn't kept");
    }
}
