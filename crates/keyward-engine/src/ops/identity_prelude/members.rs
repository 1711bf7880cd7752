//! Input members of IAM and STS, with IAM's constraints, and tags as they travel.
//!
//! Source: IAM's service model (version 2010-05-08).

use super::*;

/// IAM's names: letters, digits and `_+=,.@-`.
pub(crate) const fn name_kind(max: usize) -> Kind {
    patterned(1, max, "[\\w+=,.@-]+", |text| only(text, "_+=,.@-"))
}

pub(crate) const USER_NAME: Member = required("UserName", name_kind(128));
pub(crate) const OWN_USER_NAME: Member = optional("UserName", name_kind(128));
pub(crate) const ROLE_NAME: Member = required("RoleName", name_kind(64));
pub(crate) const GROUP_NAME: Member = required("GroupName", name_kind(128));
pub(crate) const POLICY_NAME: Member = required("PolicyName", name_kind(128));
pub(crate) const POLICY_DOCUMENT: Member = required("PolicyDocument", POLICY_KIND);
pub(crate) const ACCESS_KEY_ID: Member =
    required("AccessKeyId", patterned(16, 128, "[\\w]+", |text| only(text, "_")));
pub(crate) const PATH: Member = optional("Path", PATH_KIND);
/// Paths of managed policies, which have a narrower alphabet.
pub(crate) const POLICY_PATH_KIND: Kind =
    patterned(1, 512, "((/[A-Za-z0-9\\.,\\+@=_-]+)*)/", is_policy_path);
pub(crate) const POLICY_PATH_PREFIX: Member = optional("PathPrefix", POLICY_PATH_KIND);
pub(crate) const PATH_KIND: Kind =
    patterned(1, 512, "(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)", is_path);
pub(crate) const PATH_PREFIX: Member = optional(
    "PathPrefix",
    patterned(1, 512, "\\u002F[\\u0021-\\u007F]*", |text| {
        text.starts_with('/') && text.chars().all(|c| ('\u{21}'..='\u{7f}').contains(&c))
    }),
);
pub(crate) const ROLE_DESCRIPTION_KIND: Kind =
    patterned(0, 1_000, "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*", |text| {
        text.chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}'))
    });
pub(crate) const ARN_KIND: Kind = text(20, 2_048);
pub(crate) const POLICY_ARN: Member = required("PolicyArn", ARN_KIND);
pub(crate) const PERMISSIONS_BOUNDARY: Member = optional("PermissionsBoundary", ARN_KIND);
pub(crate) const NEW_BOUNDARY: Member = required("PermissionsBoundary", ARN_KIND);
pub(crate) const VERSION_ID: Member =
    required("VersionId", patterned(0, 128, "v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?", is_version_id));
pub(crate) const POLICY_USAGE: Member =
    optional("PolicyUsageFilter", Kind::Enum(&["PermissionsPolicy", "PermissionsBoundary"]));
/// Kinds of what an account's policies are about.
pub(crate) const ENTITY_TYPE: Kind =
    Kind::Enum(&["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]);
pub(crate) const MAX_ITEMS: Member = optional("MaxItems", Kind::Integer { min: 1, max: 1_000 });
pub(crate) const IAM_MARKER: Member = optional(
    "Marker",
    patterned(1, 320, "[\\u0020-\\u00FF]+", |text| {
        text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))
    }),
);
pub(crate) const IAM_TAGS_KIND: Kind =
    Kind::List { of: &Kind::Structure(IAM_TAG), min: 0, max: 50 };
const IAM_TAG: &[Member] = &[
    required("Key", TAG_KEY_KIND),
    required(
        "Value",
        patterned(0, 256, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", |text| text.chars().all(is_tag_char)),
    ),
];
pub(crate) const TAG_KEY_KIND: Kind =
    patterned(1, 128, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", |text| text.chars().all(is_tag_char));
pub(crate) const TAG_KEYS: Member =
    required("TagKeys", Kind::List { of: &TAG_KEY_KIND, min: 0, max: 50 });

fn is_path(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/"
        || inner
            .is_some_and(|inner| !inner.is_empty() && inner.chars().all(|c| c.is_ascii_graphic()))
}

fn is_policy_path(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/" || inner.is_some_and(|inner| inner.split('/').all(|part| only(part, ".,+@=_-")))
}

/// `v3`, and what AWS's pattern lets stand behind it.
fn is_version_id(text: &str) -> bool {
    let (number, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = number.strip_prefix('v').unwrap_or_default();
    digits.bytes().all(|b| b.is_ascii_digit())
        && digits.bytes().next().is_some_and(|first| first != b'0')
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// A tag as IAM and STS spell it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IamTag {
    pub(crate) key: String,
    pub(crate) value: String,
}

pub(crate) fn iam_tags(tags: &BTreeMap<String, String>) -> Vec<IamTag> {
    tags.iter().map(|(key, value)| IamTag { key: key.clone(), value: value.clone() }).collect()
}

pub(crate) fn iam_tag_map(tags: &[IamTag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// `aws:RequestTag/*` and `aws:TagKeys`.
pub(crate) fn iam_tag_facts(tags: &[IamTag], facts: &mut Facts<'_>) {
    for tag in tags {
        facts.add(&format!("aws:RequestTag/{}", tag.key), tag.value.as_str());
    }
    if !tags.is_empty() {
        facts.add_many("aws:TagKeys", tags.iter().map(|tag| tag.key.as_str()));
    }
}

/// What IAM and STS demand of tags in one request: no name twice, in any case, and none of AWS's own.
pub(crate) fn check_iam_tags(tags: &[IamTag]) -> Result<(), KmsError> {
    let folded: BTreeSet<String> = tags.iter().map(|tag| tag.key.to_lowercase()).collect();
    if folded.len() < tags.len() {
        return Err(invalid_input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    if folded.iter().any(|key| key.starts_with("aws:")) {
        return Err(invalid_input("Tag keys that start with aws: are reserved"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_names_and_tags_follow_iam_patterns() {
        for (path, fits, of_policy) in [
            ("/", true, true),
            ("/a/", true, true),
            ("/a/b/", true, true),
            ("/a//", true, false),
            ("/a:b/", true, false),
            ("", false, false),
            ("a/", false, false),
            ("/a", false, false),
            ("/a b/", false, false),
        ] {
            assert_eq!((is_path(path), is_policy_path(path)), (fits, of_policy), "{path}");
        }
        for (id, fits) in [
            ("v1", true),
            ("v10", true),
            ("v1.x-2", true),
            ("v0", false),
            ("v", false),
            ("1", false),
            ("v1x", false),
        ] {
            assert_eq!(is_version_id(id), fits, "{id}");
        }
        assert!("Größe 1/2 + a@b:c=d_e-f.g".chars().all(is_tag_char));
        assert!(!"a;b".chars().all(is_tag_char) && !"a\nb".chars().all(is_tag_char));
    }

    #[test]
    fn tags_that_differ_by_case_are_one() {
        let tag = |key: &str| IamTag { key: key.to_owned(), value: String::new() };
        assert!(check_iam_tags(&[tag("a"), tag("b")]).is_ok());
        assert!(check_iam_tags(&[tag("a"), tag("A")]).is_err());
        assert!(check_iam_tags(&[tag("AWS:x")]).is_err());
    }
}
