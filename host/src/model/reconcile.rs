//! What is known of rows without keeping their values: tags, compared by sweeps.

use serde::{Deserialize, Serialize};

/// `reconcile` of a trigger: the table is swept for changes that no webhook told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconcile {
    /// Seconds from the start of one round to the start of the next.
    pub every_seconds: u64,
    /// Integration calls that a round may spend in this time; what is left of it is done in the next.
    pub max_calls: u32,
}

/// Bytes of the tag of a field's name.
const NAME: usize = 4;
/// Bytes of the tag of its value. Two values have the same one with a chance of 2⁻³².
const VALUE: usize = 4;

/// Keyed tags of a row's fields, sorted by the name's: which fields of two rows differ can be told, their values can't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowTags(Vec<u8>);

/// The tag of a field's name.
pub type NameTag = [u8; NAME];

impl RowTags {
    /// Of tags of names and values.
    #[must_use]
    pub fn new(mut fields: Vec<(NameTag, [u8; VALUE])>) -> Self {
        fields.sort_unstable();
        Self(fields.into_iter().flat_map(|(name, value)| name.into_iter().chain(value)).collect())
    }

    /// As stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Back from the store; what is no whole number of tags is cut off.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.chunks_exact(NAME + VALUE).filter_map(|field| field.split_at_checked(NAME))
    }

    /// Fields that both have, with different values.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<NameTag> {
        self.fields()
            .filter(|(name, value)| other.fields().any(|(n, v)| n == *name && v != *value))
            .filter_map(|(name, _)| name.try_into().ok())
            .collect()
    }

    /// No field that both have differs.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.differing(other).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_of_both_are_compared() {
        let a = RowTags::new(vec![([1; 4], [1; 4]), ([2; 4], [2; 4])]);
        let b = RowTags::new(vec![([2; 4], [9; 4]), ([3; 4], [3; 4])]);
        assert_eq!(a.differing(&b), [[2; 4]]);
        assert!(!a.agrees(&b) && a.agrees(&a));
        assert!(RowTags::default().agrees(&a));
        assert_eq!(RowTags::from_bytes(a.as_bytes().to_vec()), a);
    }
}
