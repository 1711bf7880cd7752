//! JSON that remembers doubled keys and says where it went wrong.
//!
//! A map type would keep one of two `Effect`s and drop the other in silence. `places.rs` has the lines and
//! columns, for who asks.

pub(crate) mod places;

use crate::{condition::ConditionValue, error::PolicyError};
use core::fmt;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(String),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::read(text)
            .map_err(|error| PolicyError::malformed("", format!("the policy is not JSON: {error}")))
    }

    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The members of an object, doubled ones included.
    pub(crate) fn members(&self) -> Option<&[(String, Self)]> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The members of an object, each name once.
    pub(crate) fn object(&self, at: &str) -> Result<&[(String, Self)], PolicyError> {
        let members =
            self.members().ok_or_else(|| PolicyError::malformed(at, "must be an object"))?;
        let mut names = BTreeSet::new();
        match members.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((name, _)) => Err(PolicyError::malformed(at, format!("{name} stands twice"))),
            None => Ok(members),
        }
    }

    /// A list's elements, or the one value that stands for a list of one.
    pub(crate) fn list(&self) -> Vec<&Self> {
        if let Self::List(items) = self { items.iter().collect() } else { vec![self] }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn text(&self, at: &str) -> Result<&str, PolicyError> {
        self.as_text().ok_or_else(|| PolicyError::malformed(at, "must be a text"))
    }

    /// One text or a list of texts, at least one.
    pub(crate) fn texts(&self, at: &str) -> Result<Vec<String>, PolicyError> {
        let texts: Vec<String> = self
            .list()
            .into_iter()
            .map(|item| item.text(at).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        if texts.is_empty() { Err(PolicyError::malformed(at, "is empty")) } else { Ok(texts) }
    }

    /// A condition's value: text, or a number or truth value read as its text.
    pub(crate) fn scalar(&self, at: &str) -> Result<ConditionValue, PolicyError> {
        let (text, inexact) = match self {
            Self::Text(text) | Self::Integer(text) => (text.clone(), false),
            Self::Bool(value) => (value.to_string(), false),
            Self::Float(value) => (value.to_string(), true),
            Self::Null | Self::List(_) | Self::Object(_) => {
                return Err(PolicyError::malformed(at, "must be a text, a number, true or false"));
            }
        };
        Ok(ConditionValue { text, inexact })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}
