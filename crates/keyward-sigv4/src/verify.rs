//! Whether a presented signature is of now, and right.
//!
//! It does not remember signatures: a request can be sent again inside its window.
//! It does not know which services and Regions are served here: the door compares the scope's.
//!
//! INVARIANT: the signature is compared in constant time, and the same work is done whatever it is,
//! so a door can verify against a stand-in secret when the access key is unknown.

use crate::{
    ALGORITHM, Presented, Request, SignatureError, SigningKey, TERMINATOR, canonical,
    derive_signing_key, time,
};
use keyward_types::limits::SIGNATURE_WINDOW_SECONDS;
use subtle::ConstantTimeEq;

impl Presented<'_> {
    /// Refuses a request that is more than five minutes old or ahead, and a presigned one that expired.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
    pub fn check_window(&self, now_seconds: i64) -> Result<(), SignatureError> {
        let life = self.expires_seconds.unwrap_or(SIGNATURE_WINDOW_SECONDS);
        let (earliest, latest) = (
            now_seconds.saturating_sub(life),
            now_seconds.saturating_add(SIGNATURE_WINDOW_SECONDS),
        );
        let (claimed, now) = (&self.timestamp, time::basic);
        if self.time_seconds < earliest {
            return Err(SignatureError::Window(format!(
                "Signature expired: {claimed} is now earlier than {} ({} - {}.)",
                now(earliest),
                now(now_seconds),
                span(life)
            )));
        }
        if latest < self.time_seconds {
            return Err(SignatureError::Window(format!(
                "Signature not yet current: {claimed} is still later than {} ({} + {}.)",
                now(latest),
                now(now_seconds),
                span(SIGNATURE_WINDOW_SECONDS)
            )));
        }
        Ok(())
    }

    /// Proves that the holder of `secret` signed exactly this request.
    ///
    /// `cache` is used when it is for this scope; it must have been derived from `secret`.
    /// Fails with `UnsignedHeader` when `host` or a header that begins with `x-amz-` is not signed (an
    /// intermediary could have set it), `Payload` when the body is not the declared one, else `Mismatch`.
    pub fn verify(
        &self,
        request: &Request<'_>,
        secret: &str,
        cache: Option<&SigningKey>,
    ) -> Result<(), SignatureError> {
        self.check_signed_headers(request)?;
        let payload = canonical::digest(request.body);
        // `UNSIGNED-PAYLOAD` and the streaming forms are S3's alone, and fail here as any other text does.
        if request.values("x-amz-content-sha256").any(|declared| declared != payload) {
            return Err(SignatureError::Payload);
        }
        let derived;
        let key = match cache {
            Some(key) if key.is_for(&self.date, &self.region, &self.service) => key,
            _ => {
                derived = derive_signing_key(secret, &self.date, &self.region, &self.service);
                &derived
            }
        };
        let canonical = canonical::digest(
            canonical::request(request, self.form, &self.signed_headers, &payload).as_bytes(),
        );
        let expected = key.mac(&self.string_to_sign(&canonical));
        let mut claimed = [0; 32];
        hex::decode_to_slice(self.signature.as_bytes(), &mut claimed)
            .map_err(|_| SignatureError::Mismatch)?;
        if bool::from(expected.ct_eq(&claimed)) { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    /// The canonical request as this side sees it: what a developer compares with the client's.
    pub fn canonical_request(&self, request: &Request<'_>) -> String {
        canonical::request(
            request,
            self.form,
            &self.signed_headers,
            &canonical::digest(request.body),
        )
    }

    fn string_to_sign<'s>(&'s self, canonical_digest: &'s str) -> [&'s str; 13] {
        let Self { timestamp, date, region, service, .. } = self;
        [
            ALGORITHM,
            "\n",
            timestamp,
            "\n",
            date,
            "/",
            region,
            "/",
            service,
            "/",
            TERMINATOR,
            "\n",
            canonical_digest,
        ]
    }

    fn check_signed_headers(&self, request: &Request<'_>) -> Result<(), SignatureError> {
        let is_signed = |name: &str| {
            self.signed_headers.split(';').any(|signed| signed.eq_ignore_ascii_case(name))
        };
        if !is_signed("host") {
            return Err(SignatureError::UnsignedHeader(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
                    .to_owned(),
            ));
        }
        // A request dated by `Date` alone has that date signed through the string to sign.
        let unsigned = |name: &str| {
            name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
                && !is_signed(name)
        };
        match request.headers.iter().find(|(name, _)| unsigned(name)) {
            None => Ok(()),
            Some((name, _)) => Err(SignatureError::UnsignedHeader(format!(
                "'{}' must be a 'SignedHeader' in the AWS Authorization.",
                name.to_ascii_lowercase()
            ))),
        }
    }
}

fn span(seconds: i64) -> String {
    if seconds % 60 == 0 { format!("{} min", seconds / 60) } else { format!("{seconds} sec") }
}
