//! `ConnectCustomKeyStore` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ConnectCustomKeyStore.html>
//!
//! The attempt is made before it answers: the store is `CONNECTED` or `FAILED` then, and
//! DescribeCustomKeyStores says why. As at AWS, the call itself succeeds either way.

use super::key_store_prelude::*;
use crate::key_stores::connection_error;

pub(crate) struct ConnectCustomKeyStore;

impl Operation for ConnectCustomKeyStore {
    const SPEC: Spec = Spec {
        errors: &[
            ErrorCode::CloudHsmClusterNotActive,
            ErrorCode::CustomKeyStoreInvalidState,
            ErrorCode::CustomKeyStoreNotFound,
            ErrorCode::Internal,
            ErrorCode::CloudHsmClusterInvalidConfiguration,
        ],
        ..store_row(
            "ConnectCustomKeyStore",
            "POST",
            "/v1/custom-key-stores/{CustomKeyStoreId}/connection",
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
        let engine = call.engine();
        let answer =
            call.with_request(None, |request| engine.world.proxies.health(&store.proxy, request));
        let (state, error) = match answer {
            Ok(()) => (ConnectionState::Connected, None),
            Err(failure) => (ConnectionState::Failed, Some(connection_error(failure))),
        };
        call.note("customKeyStoreName", store.name.as_str());
        call.note("connectionState", state.as_str());
        call.put(Record::KeyStore(KeyStoreRecord {
            state,
            error,
            ..KeyStoreRecord::clone(&store)
        }));
        Ok(Nothing {})
    }

    fn remote(_input: &OneStore) -> bool {
        true
    }
}
