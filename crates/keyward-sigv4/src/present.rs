//! What a request claims about its own signature, read from its header or its query.
//!
//! INVARIANT: nothing that is `Presented` has been proved; only [`Presented::verify`] does that.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use crate::{ALGORITHM, Request, SignatureError, TERMINATOR, canonical, time};
use std::borrow::Cow;

/// Where the signature stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Header,
    /// A presigned URL.
    Query,
}

/// The parts of a signature, as claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    pub form: Form,
    pub access_key_id: Cow<'a, str>,
    pub session_token: Option<Cow<'a, str>>,
    /// `YYYYMMDD` of the credential scope.
    pub date: Cow<'a, str>,
    pub region: Cow<'a, str>,
    pub service: Cow<'a, str>,
    /// Lower case, ascending, joined by `;`.
    pub signed_headers: Cow<'a, str>,
    /// 64 hexadecimal digits in lower case: one signature has one spelling.
    pub signature: Cow<'a, str>,
    /// When the request says it was signed, in seconds since 1970.
    pub time_seconds: i64,
    /// How long a presigned URL holds, in seconds.
    pub expires_seconds: Option<i64>,
    /// `YYYYMMDDThhmmssZ`.
    pub(crate) timestamp: Cow<'a, str>,
}

/// Reads the claim.
///
/// Fails with [`SignatureError::Missing`] when there is none, `Incomplete` when parts are missing
/// (all of them are listed), `Malformed` when a part cannot be read or is ambiguous, and `Scope` when
/// the credential scope contradicts the request's date.
pub fn present<'a>(request: &Request<'a>) -> Result<Presented<'a>, SignatureError> {
    let header = once(request, "authorization")?;
    let query = request.query.contains("X-Amz-");
    let query =
        query.then(|| QueryParts::read(request.query)).transpose()?.filter(QueryParts::is_signed);
    let presented = match (header, query) {
        (None, None) => return Err(SignatureError::Missing),
        (Some(_), Some(_)) => {
            return Err(malformed(
                "Only one auth mechanism is allowed: the Authorization header or the X-Amz-Signature query parameter.",
            ));
        }
        (Some(header), None) => from_header(request, header)?,
        (None, Some(query)) => query.presented()?,
    };
    presented.check_shape()?;
    Ok(presented)
}

impl Presented<'_> {
    fn check_shape(&self) -> Result<(), SignatureError> {
        let names = self.signed_headers.split(';');
        if !names.clone().is_sorted_by(|a, b| a < b) || !names.clone().all(is_header_name) {
            return Err(malformed(
                "SignedHeaders must be lower-case header names in ascending order, separated by ';'.",
            ));
        }
        if self.signature.len() != 64
            || !self.signature.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(malformed("Signature must be 64 hexadecimal digits in lower case."));
        }
        let day = self.timestamp.get(..8).unwrap_or_default();
        if day != self.date {
            return Err(SignatureError::Scope(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', from '{}'.",
                self.date, self.timestamp
            )));
        }
        Ok(())
    }
}

fn from_header<'a>(
    request: &Request<'a>,
    header: &'a str,
) -> Result<Presented<'a>, SignatureError> {
    let Some(parts) =
        header.strip_prefix(ALGORITHM).filter(|rest| rest.is_empty() || rest.starts_with(' '))
    else {
        return Err(malformed(
            "Unsupported AWS 'algorithm' in the Authorization header: it must be AWS4-HMAC-SHA256.",
        ));
    };
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in parts.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            // The part is not repeated: it may be a secret that was put in the wrong place.
            return Err(malformed(
                "The Authorization header holds a part that is not a valid key=value pair (missing equal-sign).",
            ));
        };
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(malformed("The Authorization header holds a parameter twice."));
        }
    }
    let (amz_date, date) = (once(request, "x-amz-date")?, once(request, "date")?);
    let (Some(credential), Some(signed_headers), Some(signature), Some(when)) =
        (credential, signed_headers, signature, amz_date.or(date))
    else {
        return Err(incomplete_header(credential, signed_headers, signature, amz_date.or(date)));
    };
    let (timestamp, time_seconds) = timestamp(amz_date, when)?;
    let [access_key_id, scope_date, region, service] =
        credential_parts(credential)?.map(Cow::Borrowed);
    Ok(Presented {
        form: Form::Header,
        access_key_id,
        session_token: once(request, "x-amz-security-token")?.map(Cow::Borrowed),
        date: scope_date,
        region,
        service,
        signed_headers: signed_headers.into(),
        signature: signature.into(),
        time_seconds,
        expires_seconds: None,
        timestamp,
    })
}

/// The time in SigV4's own form: `X-Amz-Date` must have it, `Date` may be an HTTP date.
fn timestamp<'a>(
    amz_date: Option<&str>,
    when: &'a str,
) -> Result<(Cow<'a, str>, i64), SignatureError> {
    match (time::parse_basic(when), amz_date) {
        (Some(seconds), _) => Ok((when.into(), seconds)),
        (None, Some(_)) => {
            Err(malformed("Date must be in ISO-8601 'basic format', such as 20150830T123600Z."))
        }
        (None, None) => {
            let seconds = time::parse_date_header(when)
                .ok_or_else(|| malformed("The Date header holds neither an HTTP date nor one in ISO-8601 'basic format'."))?;
            Ok((time::basic(seconds).into(), seconds))
        }
    }
}

fn incomplete_header(
    credential: Option<&str>,
    signed_headers: Option<&str>,
    signature: Option<&str>,
    when: Option<&str>,
) -> SignatureError {
    let parameters =
        [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)];
    let mut lines: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| format!("Authorization header requires '{name}' parameter."))
        .collect();
    if when.is_none() {
        lines.push(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        );
    }
    SignatureError::Incomplete(lines.join(" "))
}

/// Access key id, date, region and service.
fn credential_parts(credential: &str) -> Result<[&str; 4], SignatureError> {
    let mut parts = credential.split('/');
    let five = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    let ([Some(key), Some(date), Some(region), Some(service), Some(term)], None) =
        (five, parts.next())
    else {
        return Err(malformed(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        ));
    };
    if key.is_empty() || region.is_empty() || service.is_empty() {
        return Err(malformed("Credential must not have empty elements."));
    }
    if term != TERMINATOR {
        return Err(SignatureError::Scope(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}'."
        )));
    }
    Ok([key, date, region, service])
}

/// The parameters of a presigned URL.
#[derive(Default)]
struct QueryParts<'a> {
    algorithm: Option<Cow<'a, str>>,
    credential: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    session_token: Option<Cow<'a, str>>,
}

impl<'a> QueryParts<'a> {
    fn read(query: &'a str) -> Result<Self, SignatureError> {
        let mut parts = Self::default();
        for (name, value) in canonical::parameters(query) {
            let place = match name.as_ref() {
                b"X-Amz-Algorithm" => &mut parts.algorithm,
                b"X-Amz-Credential" => &mut parts.credential,
                b"X-Amz-Date" => &mut parts.date,
                b"X-Amz-Expires" => &mut parts.expires,
                b"X-Amz-SignedHeaders" => &mut parts.signed_headers,
                b"X-Amz-Signature" => &mut parts.signature,
                b"X-Amz-Security-Token" => &mut parts.session_token,
                _ => continue,
            };
            let value = text(value).ok_or_else(|| malformed("A query parameter is not UTF-8."))?;
            if place.replace(value).is_some() {
                return Err(malformed("The query holds a signature parameter twice."));
            }
        }
        Ok(parts)
    }

    /// A token or a date alone is not a signature.
    fn is_signed(&self) -> bool {
        self.algorithm.is_some() || self.credential.is_some() || self.signature.is_some()
    }

    fn presented(self) -> Result<Presented<'a>, SignatureError> {
        let Self {
            algorithm: Some(algorithm),
            credential: Some(credential),
            date: Some(timestamp),
            signed_headers: Some(signed_headers),
            signature: Some(signature),
            ..
        } = self
        else {
            return Err(self.incomplete());
        };
        if algorithm != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"."));
        }
        let time_seconds = time::parse_basic(&timestamp).ok_or_else(|| {
            malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".")
        })?;
        let [access_key_id, date, region, service] = match credential {
            Cow::Borrowed(credential) => credential_parts(credential)?.map(Cow::Borrowed),
            Cow::Owned(credential) => {
                credential_parts(&credential)?.map(|part| Cow::Owned(part.to_owned()))
            }
        };
        Ok(Presented {
            form: Form::Query,
            access_key_id,
            session_token: self.session_token,
            date,
            region,
            service,
            signed_headers,
            signature,
            time_seconds,
            expires_seconds: self.expires.as_deref().map(expires).transpose()?,
            timestamp,
        })
    }

    fn incomplete(&self) -> SignatureError {
        let lines: Vec<String> = [
            ("X-Amz-Algorithm", &self.algorithm),
            ("X-Amz-Credential", &self.credential),
            ("X-Amz-Signature", &self.signature),
            ("X-Amz-SignedHeaders", &self.signed_headers),
            ("X-Amz-Date", &self.date),
        ]
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| format!("AWS query-string parameters must include '{name}'."))
        .collect();
        SignatureError::Incomplete(format!(
            "{} Re-examine the query-string parameters.",
            lines.join(" ")
        ))
    }
}

/// 1 second to 7 days. <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
fn expires(text: &str) -> Result<i64, SignatureError> {
    match text.parse() {
        Ok(seconds @ 1..=604_800) => Ok(seconds),
        Ok(604_801..) => Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Ok(_) => Err(malformed("X-Amz-Expires must be positive")),
        Err(_) => Err(malformed("X-Amz-Expires should be a number")),
    }
}

/// The one value of a header; twice is ambiguous, and so refused.
fn once<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = request.values(name);
    let first = values.next();
    match values.next() {
        None => Ok(first.map(str::trim_ascii)),
        Some(_) => {
            Err(malformed(&format!("The header '{name}' stands in the request more than once.")))
        }
    }
}

fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>, in lower case.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b)
        })
}

fn malformed(text: &str) -> SignatureError {
    SignatureError::Malformed(text.to_owned())
}
