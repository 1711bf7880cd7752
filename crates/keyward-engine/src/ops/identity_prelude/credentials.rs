//! Temporary credentials, as STS answers them.

use super::*;
use zeroize::Zeroizing;

/// Temporary credentials, and with [`secret`] the only way in which their secret leaves.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    #[serde(serialize_with = "secret")]
    pub(crate) secret_access_key: Zeroizing<String>,
    #[serde(serialize_with = "secret")]
    pub(crate) session_token: Zeroizing<String>,
    pub(crate) expiration: String,
}

impl Credentials {
    /// Draws a key, fills it into the session and seals that. The caller has filled in the rest.
    pub(crate) fn issue(call: &mut Call<'_>, mut session: Session) -> Result<Self, KmsError> {
        let engine = call.engine();
        session.access_key_id = credential::access_key_id("ASIA", call.generator());
        session.secret = credential::secret_access_key(call.generator()).to_string();
        let token = engine.seal_session(&session, call.generator())?;
        Ok(Self {
            access_key_id: session.access_key_id.clone(),
            secret_access_key: Zeroizing::new(std::mem::take(&mut session.secret)),
            session_token: Zeroizing::new(token),
            expiration: iso(session.expires),
        })
    }

    /// What an event may say of them.
    pub(crate) fn element(&self) -> Value {
        json!({"accessKeyId": self.access_key_id, "expiration": self.expiration})
    }
}

/// Writes a secret into an answer.
pub(crate) fn secret<S: serde::Serializer>(
    text: &Zeroizing<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
