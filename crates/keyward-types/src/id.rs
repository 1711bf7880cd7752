//! Identifiers as AWS spells them, parsed once.
//!
//! INVARIANT: a value of these types has been checked; what comes from a request is a [`KeyRef`]
//! until it was resolved.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Twelve digits.
    AccountId
);
text_id!(
    /// A Region name, such as `us-east-1`.
    Region
);
text_id!(
    /// A UUID in lower case, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
    KeyId
);
text_id!(
    /// `alias/` and 1 to 250 more characters.
    AliasName
);
text_id!(
    /// 64 hexadecimal digits when made here; whatever a request says otherwise.
    GrantId
);

impl AccountId {
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| Self(text.to_owned()))
    }

    /// The ARN of the account principal, which is also the root user's.
    pub fn root_arn(&self) -> String {
        format!("arn:aws:iam::{self}:root")
    }
}

impl Region {
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len())
            && text.split('-').count() >= 3
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The partition that the Region lies in.
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl KeyId {
    /// Accepts `8-4-4-4-12` hexadecimal digits, or `mrk-` and 32 of them, and lower-cases.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
        let fits = if let Some(rest) = text.strip_prefix("mrk-") {
            hex(rest, 32)
        } else {
            let parts: Vec<&str> = text.split('-').collect();
            parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, n)| hex(part, n))
        };
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.hyphenated().to_string())
    }

    pub fn multi_region(digits: [u8; 16]) -> Self {
        Self(digits.iter().fold("mrk-".to_owned(), |text, byte| format!("{text}{byte:02x}")))
    }

    pub fn is_multi_region(&self) -> bool {
        self.0.starts_with("mrk-")
    }
}

impl AliasName {
    /// Any `alias/…` text; what CreateAlias demands beyond that is CreateAlias's business.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("alias/").filter(|rest| !rest.is_empty()).map(|_| Self(text.to_owned()))
    }

    /// Names under `alias/aws/` belong to AWS managed keys.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }

    pub fn arn(&self, account: &AccountId, region: &Region) -> String {
        format!("arn:{}:kms:{region}:{account}:{self}", region.partition())
    }
}

impl GrantId {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Where a key lives: the name it has in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyName {
    pub account: AccountId,
    pub region: Region,
    pub key_id: KeyId,
}

/// A key's ARN; the same three parts as its name.
pub type KeyArn = KeyName;

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, region, key_id } = self;
        write!(f, "arn:{}:kms:{region}:{account}:key/{key_id}", region.partition())
    }
}

/// An ARN cut into its six parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        Some(Self {
            partition: parts.next().filter(|p| !p.is_empty())?,
            service: parts.next().filter(|p| !p.is_empty())?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next().filter(|p| !p.is_empty())?,
        })
    }
}

/// What a request wrote in `KeyId`, understood but not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    Id(KeyId),
    Arn(KeyArn),
    Alias(AliasName),
    AliasArn {
        account: AccountId,
        region: Region,
        name: AliasName,
    },
    /// Neither an id, an ARN of KMS, nor an alias; kept as it was sent for the message.
    Malformed(String),
}

impl KeyRef {
    pub fn parse(text: &str) -> Self {
        Self::understand(text).unwrap_or_else(|| Self::Malformed(text.to_owned()))
    }

    fn understand(text: &str) -> Option<Self> {
        if let Some(id) = KeyId::parse(text) {
            return Some(Self::Id(id));
        }
        if let Some(alias) = AliasName::parse(text) {
            return Some(Self::Alias(alias));
        }
        let arn = Arn::parse(text).filter(|arn| arn.service == "kms")?;
        let (account, region) = (AccountId::parse(arn.account)?, Region::parse(arn.region)?);
        if arn.partition != region.partition() {
            return None;
        }
        match arn.resource.strip_prefix("key/") {
            Some(id) => Some(Self::Arn(KeyName { account, region, key_id: KeyId::parse(id)? })),
            None => Some(Self::AliasArn { account, region, name: AliasName::parse(arn.resource)? }),
        }
    }

    pub fn is_alias(&self) -> bool {
        matches!(self, Self::Alias(_) | Self::AliasArn { .. })
    }
}

impl<'de> Deserialize<'de> for KeyRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_references_are_told_apart() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
        assert!(matches!(KeyRef::parse(id), KeyRef::Id(_)));
        assert!(matches!(KeyRef::parse(&id.to_uppercase()), KeyRef::Id(k) if k.as_str() == id));
        assert!(matches!(KeyRef::parse(&arn), KeyRef::Arn(a) if a.to_string() == arn));
        assert!(matches!(KeyRef::parse("alias/a/b"), KeyRef::Alias(_)));
        assert!(matches!(
            KeyRef::parse("arn:aws:kms:us-east-1:111122223333:alias/x"),
            KeyRef::AliasArn { .. }
        ));
        for bad in [
            "",
            "fake",
            "alias/",
            "1234abcd12ab34cd56ef1234567890ab",
            "arn:aws:s3:::b",
            &arn.replace("aws", "moon"),
        ] {
            assert!(matches!(KeyRef::parse(bad), KeyRef::Malformed(_)), "{bad}");
        }
    }
}
