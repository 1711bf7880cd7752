//! `UpdatePrimaryRegion` <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdatePrimaryRegion.html>
//!
//! Both keys change in one commit, so that nobody sees them `Updating`. Each Region has a record, of its own key.

use super::prelude::*;
use crate::beside::Abroad;
use keyward_types::{KeyName, MultiRegion, Region};

pub(crate) struct UpdatePrimaryRegion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    primary_region: Region,
}

impl Operation for UpdatePrimaryRegion {
    const SPEC: Spec = Spec {
        states: USABLE,
        logged: &["KeyId", "PrimaryRegion"],
        errors: &[
            ErrorCode::Disabled,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidState,
            ErrorCode::Internal,
            ErrorCode::NotFound,
            ErrorCode::UnsupportedOperation,
        ],
        ..control(
            "UpdatePrimaryRegion",
            "PUT",
            "/v1/keys/{KeyId}/primary-region",
            &[KEY_ID, required("PrimaryRegion", REGION_KIND)],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let region = &input.primary_region;
        let promoted = Subject::Related { key: &input.key_id, region };
        Ok(vec![
            Target::key(&input.key_id),
            Target { region: Some(region), ..Target::of(promoted) },
        ])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:PrimaryRegion", input.primary_region.as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let old = call.key()?;
        let Some(before) = old.multi_region.as_ref().filter(|_| !old.is_replica()) else {
            return Err(wording::not_a_primary(old));
        };
        let primary = input.primary_region.clone();
        let others = before.regions().filter(|region| **region != primary);
        let related = MultiRegion { replicas: others.cloned().collect(), primary };
        for one in call.family(old)? {
            call.put(Record::Key(KeyRecord { multi_region: Some(related.clone()), ..one }));
        }
        let promoted = KeyName { region: input.primary_region.clone(), ..old.name.clone() };
        call.did_abroad(Abroad {
            spec: &Self::SPEC,
            elements: json!({"keyId": promoted.to_string()}),
            parameters: None,
            key: promoted,
        });
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
