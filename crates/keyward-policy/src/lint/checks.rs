//! TABLE: every check of the lint, with its severity. Codes are those of IAM Access Analyzer where it has one.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html>

/// How grave a finding is, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A part of the document is refused or does nothing.
    Error,
    /// More is allowed than is likely meant.
    SecurityWarning,
    /// It works otherwise than it looks.
    Warning,
    /// It can be written better.
    Suggestion,
}

impl Severity {
    /// Access Analyzer's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::SecurityWarning => "SECURITY_WARNING",
            Self::Warning => "WARNING",
            Self::Suggestion => "SUGGESTION",
        }
    }
}

/// One thing that the lint looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub code: &'static str,
    pub severity: Severity,
    pub title: &'static str,
}

macro_rules! checks {
    ($($code:ident: $severity:ident, $title:literal;)*) => {
        $(pub(super) const $code: Check =
            Check { code: stringify!($code), severity: Severity::$severity, title: $title };)*

        /// Every check.
        pub const CHECKS: &[Check] = &[$($code,)*];
    };
}

checks! {
    // The document and its elements.
    JSON_SYNTAX_ERROR: Error, "not JSON";
    INVALID_CHARACTER: Error, "a character that a key policy cannot hold";
    POLICY_SIZE_EXCEEDS_QUOTA: Error, "longer than AWS allows";
    POLICY_SIZE_NEAR_QUOTA: Warning, "nearly as long as AWS allows";
    DATA_TYPE_MISMATCH: Error, "an element of the wrong JSON type";
    UNKNOWN_ELEMENT: Error, "an element that the language does not have";
    DUPLICATE_ELEMENT: Error, "a member that stands twice";
    MISSING_STATEMENT: Error, "no statements";
    MISSING_VERSION: Warning, "no Version: the language of 2008";
    INVALID_VERSION: Error, "a version that the language does not have";
    OLD_VERSION: Suggestion, "the language of 2008";
    PROHIBITED_ELEMENT: Error, "an element that this kind of policy cannot have";
    EXCLUSIVE_ELEMENTS: Error, "an element beside its Not form";
    MISSING_EFFECT: Error, "no Effect";
    INVALID_EFFECT: Error, "an Effect that is neither Allow nor Deny";
    MISSING_PRINCIPAL: Error, "no Principal";
    MISSING_ACTION: Error, "no Action";
    MISSING_RESOURCE: Error, "no Resource";
    EMPTY_ARRAY: Error, "an empty list";
    EMPTY_CONDITION: Suggestion, "an empty Condition, operator or key";
    INVALID_SID: Error, "a Sid that IAM refuses";
    DUPLICATE_SID: Error, "two statements of one Sid";
    REPEATED_SID: Suggestion, "two statements of a key policy of one Sid";
    REDUNDANT_STATEMENT: Suggestion, "a statement that another one contains";
    MALFORMED_POLICY: Error, "refused for another reason";
    // Actions.
    INVALID_ACTION: Error, "not the form of an action";
    UNKNOWN_ACTION: Error, "an action that KMS does not have";
    REDUNDANT_ACTION: Suggestion, "an action that another pattern covers";
    FOREIGN_ACTION_IN_KEY_POLICY: Warning, "another service's action in a key policy";
    ACTION_NOT_FOR_KEY_POLICY: Warning, "an action on which a key policy has no say";
    ACTION_NOT_FOR_TRUST_POLICY: Warning, "an action other than assuming the role in a trust policy";
    ALLOW_WITH_NOT_ACTION: SecurityWarning, "an Allow of everything but";
    STAR_ACTION_IN_KEY_POLICY: Suggestion, "every service's actions in a key policy";
    CREATE_GRANT_UNFENCED: Suggestion, "CreateGrant without limits on the grants";
    // Principals.
    INVALID_PRINCIPAL: Error, "what cannot be a principal";
    WILDCARD_IN_PRINCIPAL_ARN: Error, "a wildcard inside a principal's ARN";
    UNIQUE_ID_PRINCIPAL: Warning, "a deleted user or role";
    REDUNDANT_PRINCIPAL: Suggestion, "a principal that is named twice";
    ALLOW_WITH_NOT_PRINCIPAL: Error, "an Allow for everybody but";
    DENY_WITH_NOT_PRINCIPAL: Warning, "a Deny for everybody but";
    PUBLIC_ACCESS: SecurityWarning, "everybody is allowed";
    ADMINISTRATION_FOR_ANYONE: SecurityWarning, "every action of KMS for everybody";
    RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL: SecurityWarning, "a service, on whose behalf soever";
    MISSING_PAIRED_CONDITION_KEYS: Warning, "a source without an account";
    RCP_PRINCIPAL_NOT_ANYONE: Error, "a resource control policy that names somebody";
    CROSS_ACCOUNT_ACTION_WITHOUT_EFFECT: Warning, "an action that stays inside its account, for another one";
    NO_POLICY_ADMINISTRATOR: Error, "nobody can replace the key policy";
    NO_OWNER_ACCOUNT_STATEMENT: Warning, "the owner account cannot administer the key";
    SINGLE_POLICY_ADMINISTRATOR: Warning, "one principal alone can replace the key policy";
    // Resources.
    INVALID_ARN: Error, "not an ARN";
    INVALID_ARN_PARTITION: Error, "a partition that AWS does not have";
    INVALID_ARN_RESOURCE: Error, "an ARN of KMS that is of no key and no alias";
    RESOURCE_NOT_THIS_KEY: Error, "a key policy for another resource";
    RESOURCE_NOT_STAR: Suggestion, "a key policy that names resources";
    ALIAS_ARN_FOR_KEY_ACTION: Error, "an alias where actions on keys need the key";
    ACTION_NEEDS_STAR_RESOURCE: Error, "actions that are on no resource";
    ALLOW_WITH_NOT_RESOURCE: SecurityWarning, "an Allow on everything but";
    REDUNDANT_RESOURCE: Suggestion, "a resource that another pattern covers";
    DECRYPT_WITH_ANY_KEY: SecurityWarning, "decryption with every key";
    // Operators and keys of conditions.
    INVALID_OPERATOR: Error, "an operator that the language does not have";
    NULL_WITH_IF_EXISTS: Error, "Null with IfExists or a set prefix";
    INVALID_CONDITION_KEY: Error, "a condition key that AWS does not have";
    VARIABLE_IN_CONDITION_KEY: Error, "a variable in a key's name";
    DUPLICATE_KEYS_WITH_DIFFERENT_CASE: Error, "one key in two spellings";
    DEPRECATED_CONDITION_KEY: Warning, "a key that AWS replaced";
    OVERLY_PERMISSIVE_CONDITION: Error, "ForAllValues on a pair or a tag";
    FORALLVALUES_WITH_SINGLE_VALUED_KEY: SecurityWarning, "ForAllValues on a key of one value";
    FORANYVALUE_WITH_SINGLE_VALUED_KEY: Warning, "ForAnyValue on a key of one value";
    MISSING_QUALIFIER: Error, "a key of several values without a set prefix";
    ALLOW_WITH_FORALLVALUES: Warning, "an Allow that an absent key passes";
    TYPE_MISMATCH: Error, "an operator of another type than the key";
    CONDITION_NEVER_MATCHES: Error, "a condition on what the actions never carry";
    CONDITION_ALWAYS_MATCHES: Warning, "a condition that what is never carried always passes";
    CONDITION_KEY_NOT_CARRIED_BY_ACTION: Warning, "a listed action that the condition shuts out";
    RESOURCE_ALIASES_IN_RESOURCE_POLICY: Error, "kms:ResourceAliases outside identity policies";
    FOREIGN_CONDITION_KEY: Warning, "a condition key of another service";
    MFA_WITHOUT_IF_EXISTS: Warning, "a Deny that long-lived credentials pass";
    // Values of conditions.
    INVALID_NUMBER: Error, "not a number";
    INVALID_DATE: Error, "not a time";
    INVALID_BOOLEAN: Error, "neither true nor false";
    INVALID_IP_RANGE: Error, "neither an IP address nor a range";
    INVALID_BASE64: Error, "not base64";
    INVALID_CONDITION_ARN: Error, "not an ARN";
    UNQUOTED_DECIMAL: Error, "a decimal without quotes";
    INVALID_VARIABLE: Error, "a policy variable that is malformed";
    VARIABLE_IN_UNSUPPORTED_OPERATOR: Error, "a variable where the operator takes none";
    VARIABLE_IN_OLD_VERSION: Warning, "a variable that is literal text";
    WILDCARD_WITHOUT_LIKE_OPERATOR: Warning, "a wildcard that is literal text";
    LIKE_ANYTHING: Suggestion, "a pattern that everything fits";
    REDUNDANT_CONDITION_VALUE: Suggestion, "a value that stands twice";
    UNKNOWN_VALUE: Warning, "a value that the key never has";
    INVALID_ACCOUNT_VALUE: Warning, "a value that is no account id";
    PRIVATE_IP_ADDRESS: Warning, "a private address with aws:SourceIp";
    IP_RANGE_OF_ALL: Warning, "a range of every address";
    IP_RANGE_WITH_HOST_BITS: Suggestion, "a range with bits that do not count";
    VIA_SERVICE_WITHOUT_REGION: Error, "kms:ViaService without a Region";
}
