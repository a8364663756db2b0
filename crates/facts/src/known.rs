//! A value that is known, absent, or could not be read: three different things.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What reading one value gave. Absence is a fact; an unreadable value is not, and never
/// counts as healthy.
///
/// In a snapshot: the value itself, `null`, or `{"unreadable": "why"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known<T> {
    /// It was read.
    Known(T),
    /// It was looked for and is not there.
    #[default]
    Absent,
    /// It could not be read, and why.
    Unreadable(String),
}

impl<T> Known<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// Whether it was looked for and is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Why it could not be read, where that is so.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable(reason) => Some(reason),
            Self::Known(_) | Self::Absent => None,
        }
    }

    /// The same, with the value changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Known(value) => Known::Known(change(value)),
            Self::Absent => Known::Absent,
            Self::Unreadable(reason) => Known::Unreadable(reason),
        }
    }
}

impl<T> From<Option<T>> for Known<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}

#[derive(Serialize, Deserialize)]
struct Why {
    unreadable: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored<T> {
    Why(Why),
    Value(Option<T>),
}

impl<T: Serialize> Serialize for Known<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Absent => serializer.serialize_none(),
            Self::Unreadable(reason) => Why {
                unreadable: reason.clone(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Known<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Why(why) => Self::Unreadable(why.unreadable),
            Stored::Value(Some(value)) => Self::Known(value),
            Stored::Value(None) => Self::Absent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_states_survive_a_snapshot() {
        for value in [
            Known::Known("ext4".to_owned()),
            Known::Absent,
            Known::Unreadable("permission denied".to_owned()),
        ] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Known<String>>(&text).unwrap(), value);
        }
    }
}
