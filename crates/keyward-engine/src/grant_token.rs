//! Grant tokens: what CreateGrant hands out beside the grant's id.
//!
//! Grants count at once here, so a token gives no access; it names its grant, sealed, so that nobody
//! makes one up. Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#grant_token>

use crate::{Engine, call::Call, wording};
use keyward_types::{GrantId, KeyName, KeyRef, KmsError};

/// The purpose under which tokens are sealed.
const PURPOSE: &str = "grant-token";

/// A fresh token of a grant; every token of a grant is as good as the others.
pub(crate) fn seal(
    call: &mut Call<'_>,
    key: &KeyName,
    grant_id: &GrantId,
) -> Result<String, KmsError> {
    let plain = format!("{key}\n{grant_id}");
    let engine = call.engine();
    let sealed = engine.world.keyring.seal_token(PURPOSE, plain.as_bytes(), call.generator());
    sealed.map(|sealed| wording::token_text(&sealed)).map_err(KmsError::internal)
}

impl Engine {
    /// The grant that a token names, whether or not it still exists. `None` for what is no token of ours.
    pub(crate) fn grant_of_token(&self, token: &str) -> Option<(KeyName, GrantId)> {
        let sealed = wording::token_bytes(token)?;
        let plain = self.world.keyring.open_token(PURPOSE, &sealed).ok()?;
        let (key, grant_id) = core::str::from_utf8(&plain).ok()?.split_once('\n')?;
        match KeyRef::parse(key) {
            KeyRef::Arn(key) => Some((key, GrantId::new(grant_id))),
            _ => None,
        }
    }
}
