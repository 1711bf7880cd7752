//! `DeleteCustomKeyStore` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteCustomKeyStore.html>

use super::key_store_prelude::*;

pub(crate) struct DeleteCustomKeyStore;

impl Operation for DeleteCustomKeyStore {
    const SPEC: Spec = Spec {
        errors: &[
            ErrorCode::CustomKeyStoreHasCmks,
            ErrorCode::CustomKeyStoreInvalidState,
            ErrorCode::CustomKeyStoreNotFound,
            ErrorCode::Internal,
        ],
        ..store_row(
            "DeleteCustomKeyStore",
            "DELETE",
            "/v1/custom-key-stores/{CustomKeyStoreId}",
            &[STORE_ID],
        )
    };
    type Input = OneStore;
    type Output = Nothing;

    fn targets(_input: &OneStore) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &OneStore) -> Result<Nothing, KmsError> {
        let store = call.key_store(&input.custom_key_store_id)?;
        if store.state != ConnectionState::Disconnected {
            return Err(wrong_state(&store, "DISCONNECTED"));
        }
        let KeyStoreRecord { account, region, id, .. } = &*store;
        call.rest_on(Name::KeyStores(account.clone(), region.clone()));
        let keys =
            call.store().keys_in_store(account, region, id, 1).map_err(KmsError::internal)?;
        if !keys.is_empty() {
            return Err(KmsError::new(
                ErrorCode::CustomKeyStoreHasCmks,
                format!(
                    "Custom key store {id} contains KMS keys. Schedule their deletion, and wait until they are deleted."
                ),
            ));
        }
        call.note("customKeyStoreName", store.name.as_str());
        call.delete(Name::KeyStore(account.clone(), region.clone(), id.clone()));
        Ok(Nothing {})
    }
}
