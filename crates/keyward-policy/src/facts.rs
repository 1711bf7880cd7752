//! The request's condition keys, as the caller of the engine states them.
//!
//! What follows from the caller and the resource is not stated here; `keys.rs` derives it.
//!
//! INVARIANT: a fact that is stated wins over one that is derived.

use keyward_types::EncryptionContext;
use std::collections::{BTreeMap, BTreeSet};

/// The value or values of a condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    One(String),
    Many(Vec<String>),
}

/// A request's condition keys by name, and its encryption context.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// By name in lower case: the spelling that was stated, and the values.
    values: BTreeMap<String, (String, Values)>,
    /// Names that were stated in two spellings; their value is not known.
    ambiguous: BTreeSet<String>,
    encryption_context: Option<&'a EncryptionContext>,
}

impl<'a> Facts<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// States one value, such as `("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")`.
    ///
    /// Stating one name again replaces it; in another spelling, the key has no certain value any more.
    pub fn add(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.insert(name, Values::One(value.into()))
    }

    /// States the values of a key that holds several, such as `kms:GrantOperations`.
    pub fn add_many<V: Into<String>>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        self.insert(name, Values::Many(values.into_iter().map(Into::into).collect()))
    }

    fn insert(&mut self, name: &str, values: Values) -> &mut Self {
        let folded = name.to_lowercase();
        if let Some((spelling, _)) = self.values.insert(folded.clone(), (name.to_owned(), values))
            && spelling != name
        {
            self.ambiguous.insert(folded);
        }
        self
    }

    /// States a key in the place of whatever was stated of it, in any spelling. No values state that it is absent.
    pub fn replace(&mut self, name: &str, values: Values) -> &mut Self {
        let folded = name.to_lowercase();
        self.ambiguous.remove(&folded);
        self.values.insert(folded, (name.to_owned(), values));
        self
    }

    /// The context that fills `kms:EncryptionContext:*` and `kms:EncryptionContextKeys`.
    pub fn set_encryption_context(&mut self, context: &'a EncryptionContext) -> &mut Self {
        self.encryption_context = Some(context);
        self
    }

    /// Pairs by name as the client spelled it.
    pub(crate) fn context(&self) -> Option<&'a BTreeMap<String, String>> {
        self.encryption_context.map(|context| &context.0)
    }

    /// `name` in lower case.
    pub(crate) fn stated(&self, name: &str) -> Option<&Values> {
        self.values.get(name).map(|(_, values)| values)
    }

    /// Everything that was stated, by name in lower case.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.values.iter().map(|(name, (_, values))| (name.as_str(), values))
    }

    /// Names, in lower case, that were stated in two spellings.
    pub(crate) fn ambiguous(&self) -> &BTreeSet<String> {
        &self.ambiguous
    }
}
