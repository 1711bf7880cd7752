//! Every error a client can be told, as one table, and the type that carries one.
//!
//! `code` is what a program branches on, `message` is for the client, `cause` is for the operator's
//! log and never crosses a door. A message never holds plaintext, key bytes or a Rust type name.
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html> and each operation's page.

use core::fmt;

/// Whose mistake it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Client,
    Server,
}

macro_rules! error_codes {
    ($($name:ident = $wire:literal, $fault:ident, $status:literal;)*) => {
        /// A code of the table; `wire` is its name for clients.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $($name,)* }

        impl ErrorCode {
            /// Every code, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn wire(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            pub const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }

            /// The HTTP status on `/v1` and in the query protocol. AWS JSON answers 400 or 500 only.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

error_codes! {
    AccessDenied               = "AccessDeniedException",               Client, 403;
    AlreadyExists              = "AlreadyExistsException",              Client, 409;
    CloudHsmClusterInUse       = "CloudHsmClusterInUseException", Client, 409;
    CloudHsmClusterInvalidConfiguration = "CloudHsmClusterInvalidConfigurationException", Client, 400;
    CloudHsmClusterNotActive   = "CloudHsmClusterNotActiveException", Client, 409;
    CloudHsmClusterNotFound    = "CloudHsmClusterNotFoundException", Client, 404;
    CloudHsmClusterNotRelated  = "CloudHsmClusterNotRelatedException", Client, 400;
    Conflict                   = "ConflictException",                   Client, 409;
    CustomKeyStoreHasCmks      = "CustomKeyStoreHasCMKsException", Client, 409;
    CustomKeyStoreInvalidState = "CustomKeyStoreInvalidStateException", Client, 409;
    CustomKeyStoreNameInUse    = "CustomKeyStoreNameInUseException", Client, 409;
    CustomKeyStoreNotFound     = "CustomKeyStoreNotFoundException",     Client, 404;
    DependencyTimeout          = "DependencyTimeoutException",          Server, 503;
    Disabled                   = "DisabledException",                   Client, 409;
    DryRunOperation            = "DryRunOperationException",            Client, 412;
    ExpiredImportToken         = "ExpiredImportTokenException",         Client, 400;
    ExpiredToken               = "ExpiredTokenException",               Client, 403;
    IncompleteSignature        = "IncompleteSignatureException",        Client, 403;
    IncorrectKey               = "IncorrectKeyException",               Client, 400;
    IncorrectKeyMaterial       = "IncorrectKeyMaterialException",       Client, 400;
    IncorrectTrustAnchor       = "IncorrectTrustAnchorException", Client, 400;
    Internal                   = "KMSInternalException",                Server, 500;
    InvalidAliasName           = "InvalidAliasNameException",           Client, 400;
    InvalidArn                 = "InvalidArnException",                 Client, 400;
    InvalidCiphertext          = "InvalidCiphertextException",          Client, 400;
    InvalidGrantId             = "InvalidGrantIdException",             Client, 400;
    InvalidGrantToken          = "InvalidGrantTokenException",          Client, 400;
    InvalidImportToken         = "InvalidImportTokenException",         Client, 400;
    InvalidKeyUsage            = "InvalidKeyUsageException",            Client, 409;
    InvalidMarker              = "InvalidMarkerException",              Client, 400;
    InvalidParameter           = "InvalidParameterException",           Client, 400;
    InvalidSignature           = "InvalidSignatureException",           Client, 403;
    InvalidState               = "KMSInvalidStateException",            Client, 409;
    KeyUnavailable             = "KeyUnavailableException",             Server, 503;
    KmsInvalidMac              = "KMSInvalidMacException",              Client, 400;
    KmsInvalidSignature        = "KMSInvalidSignatureException",        Client, 400;
    LimitExceeded              = "LimitExceededException",              Client, 400;
    // Those of CloudTrail's LookupEvents and ListPublicKeys.
    // <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html#API_LookupEvents_Errors>
    TrailInvalidEventCategory  = "InvalidEventCategoryException",       Client, 400;
    TrailInvalidAttributes     = "InvalidLookupAttributesException", Client, 400;
    TrailInvalidMaxResults     = "InvalidMaxResultsException",          Client, 400;
    TrailInvalidNextToken      = "InvalidNextTokenException",           Client, 400;
    TrailInvalidTimeRange      = "InvalidTimeRangeException",           Client, 400;
    MalformedPolicyDocument    = "MalformedPolicyDocumentException",    Client, 400;
    MissingAuthenticationToken = "MissingAuthenticationTokenException", Client, 403;
    NotAuthorized              = "NotAuthorizedException",              Client, 403;
    NotFound                   = "NotFoundException",                   Client, 404;
    Serialization              = "SerializationException",              Client, 400;
    ServiceUnavailable         = "ServiceUnavailableException",         Server, 503;
    Tag                        = "TagException",                        Client, 400;
    Throttling                 = "ThrottlingException",                 Client, 429;
    UnknownOperation           = "UnknownOperationException",           Client, 404;
    UnrecognizedClient         = "UnrecognizedClientException",         Client, 403;
    UnprocessableEntity        = "UnprocessableEntityException",        Client, 422;
    UnsupportedOperation       = "UnsupportedOperationException",       Client, 400;
    Validation                 = "ValidationException",                 Client, 400;
    XksKeyAlreadyInUse         = "XksKeyAlreadyInUseException", Client, 409;
    XksKeyInvalidConfiguration = "XksKeyInvalidConfigurationException", Client, 400;
    XksKeyNotFound             = "XksKeyNotFoundException", Client, 404;
    XksProxyIncorrectAuthenticationCredential = "XksProxyIncorrectAuthenticationCredentialException", Client, 400;
    XksProxyInvalidConfiguration = "XksProxyInvalidConfigurationException", Client, 400;
    XksProxyInvalidResponse    = "XksProxyInvalidResponseException", Client, 400;
    XksProxyUriEndpointInUse   = "XksProxyUriEndpointInUseException", Client, 409;
    XksProxyUriInUse           = "XksProxyUriInUseException", Client, 409;
    XksProxyUriUnreachable     = "XksProxyUriUnreachableException", Client, 400;
    XksProxyVpcEndpointServiceInUse = "XksProxyVpcEndpointServiceInUseException", Client, 409;
    XksProxyVpcEndpointServiceInvalidConfiguration = "XksProxyVpcEndpointServiceInvalidConfigurationException", Client, 400;
    XksProxyVpcEndpointServiceNotFound = "XksProxyVpcEndpointServiceNotFoundException", Client, 404;
    // The query protocol of IAM and STS has names of its own.
    // <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
    IamDeleteConflict          = "DeleteConflict",                      Client, 409;
    IamEntityAlreadyExists     = "EntityAlreadyExists",                 Client, 409;
    IamInvalidAuthenticationCode = "InvalidAuthenticationCode",         Client, 403;
    IamInvalidInput            = "InvalidInput",                        Client, 400;
    IamLimitExceeded           = "LimitExceeded",                       Client, 409;
    IamMalformedPolicyDocument = "MalformedPolicyDocument",             Client, 400;
    IamNoSuchEntity            = "NoSuchEntity",                        Client, 404;
    IamPackedPolicyTooLarge    = "PackedPolicyTooLarge",                Client, 400;
    IamValidationError         = "ValidationError",                     Client, 400;
}

impl ErrorCode {
    /// The name that the query protocol (IAM, STS) uses for codes that both protocols know.
    pub const fn query_wire(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::ExpiredToken => "ExpiredToken",
            Self::IncompleteSignature => "IncompleteSignature",
            Self::InvalidSignature => "SignatureDoesNotMatch",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::Serialization | Self::Validation => "ValidationError",
            Self::Throttling => "Throttling",
            Self::UnknownOperation => "InvalidAction",
            Self::UnrecognizedClient => "InvalidClientTokenId",
            Self::Internal => "ServiceFailure",
            other => other.wire(),
        }
    }

    /// The name that CloudTrail writes into `errorCode`.
    pub const fn trail_name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            other => other.wire(),
        }
    }
}

/// An answer that is a refusal.
#[derive(Clone, PartialEq, Eq)]
pub struct KmsError {
    pub code: ErrorCode,
    /// What the client reads; some AWS errors have none.
    pub message: Option<String>,
    /// What the operator reads.
    pub cause: Option<String>,
}

impl KmsError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), cause: None }
    }

    /// AWS sends some codes without any message.
    pub const fn bare(code: ErrorCode) -> Self {
        Self { code, message: None, cause: None }
    }

    /// Something that should not happen did: the client learns that and no more.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self {
            code: ErrorCode::Internal,
            message: Some("The request was rejected because an internal exception occurred. The request can be retried.".to_owned()),
            cause: Some(cause.to_string()),
        }
    }

    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Validation, message)
    }

    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

impl fmt::Debug for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.wire())?;
        self.message.iter().try_for_each(|message| write!(f, ": {message}"))?;
        self.cause.iter().try_for_each(|cause| write!(f, " (cause: {cause})"))
    }
}

impl std::error::Error for KmsError {}
