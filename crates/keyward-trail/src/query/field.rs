//! The fields: their names, and how their values are compared.

/// Something that a record says, and that a query names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Principal,
    Operation,
    Result,
    Key,
    Id,
    /// The value of this name in the encryption context.
    Context(String),
    Grant,
    Statement,
    Agent,
    Ip,
    Region,
    Account,
    Service,
    ReadOnly,
    /// Any text of the record.
    Text,
}

/// What stands before a colon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Of(Field),
    Since,
    Until,
}

/// Every name but those in the encryption context. Of several for one field, the first is printed.
pub(super) const NAMES: &[(&str, Name)] = &[
    ("principal", Name::Of(Field::Principal)),
    ("op", Name::Of(Field::Operation)),
    ("operation", Name::Of(Field::Operation)),
    ("result", Name::Of(Field::Result)),
    ("outcome", Name::Of(Field::Result)),
    ("key", Name::Of(Field::Key)),
    ("id", Name::Of(Field::Id)),
    ("grant", Name::Of(Field::Grant)),
    ("statement", Name::Of(Field::Statement)),
    ("agent", Name::Of(Field::Agent)),
    ("ip", Name::Of(Field::Ip)),
    ("region", Name::Of(Field::Region)),
    ("account", Name::Of(Field::Account)),
    ("service", Name::Of(Field::Service)),
    ("source", Name::Of(Field::Service)),
    ("readonly", Name::Of(Field::ReadOnly)),
    ("since", Name::Since),
    ("until", Name::Until),
];

/// Before the name of an encryption context's pair; the first is printed.
pub(super) const CONTEXT_PREFIXES: &[&str] = &["ctx.", "context."];

impl Name {
    pub(super) fn find(text: &str) -> Option<Self> {
        let row = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        row.map(|(_, name)| name.clone())
    }

    /// The name that text was perhaps meant to be.
    pub(super) fn near(text: &str) -> Option<&'static str> {
        let text = text.to_ascii_lowercase();
        let near = NAMES.iter().map(|(name, _)| (distance(name, &text), *name)).min()?;
        // Two slips in a long name, one in a short one.
        (near.0 <= 1 + near.1.len() / 6).then_some(near.1)
    }
}

impl Field {
    /// As it is printed before the colon; free text has none.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Operation => "op",
            Self::Result => "result",
            Self::Key => "key",
            Self::Id => "id",
            Self::Context(_) => "ctx",
            Self::Grant => "grant",
            Self::Statement => "statement",
            Self::Agent => "agent",
            Self::Ip => "ip",
            Self::Region => "region",
            Self::Account => "account",
            Self::Service => "service",
            Self::ReadOnly => "readonly",
            Self::Text => "",
        }
    }

    /// A field by its name, such as `op` or `ctx.tenant`; times and free text are none.
    pub fn parse(text: &str) -> Option<Self> {
        for prefix in CONTEXT_PREFIXES {
            let (start, name) = text.split_at_checked(prefix.len()).unwrap_or_default();
            if start.eq_ignore_ascii_case(prefix) && !name.is_empty() {
                return Some(Self::Context(name.to_owned()));
            }
        }
        match Name::find(text)? {
            Name::Of(field) => Some(field),
            Name::Since | Name::Until => None,
        }
    }

    pub(super) fn ignores_case(&self) -> bool {
        match self {
            Self::Operation
            | Self::Result
            | Self::Id
            | Self::Agent
            | Self::Ip
            | Self::Region
            | Self::Account
            | Self::Service
            | Self::ReadOnly
            | Self::Text => true,
            Self::Principal | Self::Key | Self::Context(_) | Self::Grant | Self::Statement => false,
        }
    }

    /// Whether its values are, or can be, part of what explains a decision. Free text looks at what the
    /// record shows, and no index serves it.
    pub fn reads_decisions(&self) -> bool {
        matches!(self, Self::Grant | Self::Statement)
    }
}

/// How many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, other) in row.iter().skip(1).zip(b.chars()) {
            left = (corner + usize::from(letter != other)).min(left + 1).min(above + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        for (text, near) in [
            ("opp", Some("op")),
            ("prinicpal", Some("principal")),
            ("principle", Some("principal")),
            ("reslt", Some("result")),
            ("Sinse", Some("since")),
            ("acount", Some("account")),
            ("statment", Some("statement")),
            ("zzz", None),
            ("tenant", None),
        ] {
            assert_eq!(Name::near(text), near, "{text}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
    }

    #[test]
    fn fields_by_name() {
        assert_eq!(Field::parse("Outcome"), Some(Field::Result));
        assert_eq!(Field::parse("CTX.Tenant"), Some(Field::Context("Tenant".to_owned())));
        assert_eq!(Field::parse("ctx."), None);
        assert_eq!(Field::parse("since"), None);
        for (name, _) in NAMES.iter().filter(|(name, _)| !matches!(*name, "since" | "until")) {
            let field = Field::parse(name).unwrap();
            assert_eq!(Field::parse(field.name()), Some(field));
        }
    }
}
