//! `DisconnectCustomKeyStore` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DisconnectCustomKeyStore.html>
//!
//! Keys in the store are unavailable from then on.

use super::key_store_prelude::*;

pub(crate) struct DisconnectCustomKeyStore;

impl Operation for DisconnectCustomKeyStore {
    const SPEC: Spec = store_row(
        "DisconnectCustomKeyStore",
        "DELETE",
        "/v1/custom-key-stores/{CustomKeyStoreId}/connection",
        &[STORE_ID],
    );
    type Input = OneStore;
    type Output = Nothing;

    fn targets(_input: &OneStore) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &OneStore) -> Result<Nothing, KmsError> {
        let store = call.key_store(&input.custom_key_store_id)?;
        if !matches!(store.state, ConnectionState::Connected | ConnectionState::Failed) {
            return Err(wrong_state(&store, "CONNECTED or FAILED"));
        }
        call.note("customKeyStoreName", store.name.as_str());
        call.put(Record::KeyStore(KeyStoreRecord {
            state: ConnectionState::Disconnected,
            error: None,
            ..KeyStoreRecord::clone(&store)
        }));
        Ok(Nothing {})
    }
}
