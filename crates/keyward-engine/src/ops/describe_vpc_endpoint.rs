//! `DescribeVpcEndpoint`, Keyward's own.

use super::organization_prelude::*;
use keyward_types::EndpointRecord;

pub(crate) struct DescribeVpcEndpoint;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    vpc_endpoint_id: String,
}

/// An endpoint as answers write it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Endpoint {
    vpc_endpoint_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_id: Option<String>,
    policy_document: String,
    updated: serde_json::Number,
}

impl Endpoint {
    pub(crate) fn of(record: &EndpointRecord) -> Self {
        Self {
            vpc_endpoint_id: record.id.clone(),
            vpc_id: record.vpc.clone(),
            policy_document: record.document.text().to_owned(),
            updated: record.updated.wire(),
        }
    }
}

impl Operation for DescribeVpcEndpoint {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["VpcEndpointId"],
        ..own("DescribeVpcEndpoint", "GET", "/v1/vpc-endpoints/{VpcEndpointId}", &[ENDPOINT_ID])
    };
    type Input = Input;
    type Output = Endpoint;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Endpoint, KmsError> {
        of_own_account(call)?;
        let id = &input.vpc_endpoint_id;
        let found = call.store().endpoint(id).map_err(KmsError::internal)?;
        found.map(|found| Endpoint::of(&found)).ok_or_else(|| no_endpoint(id))
    }
}

pub(crate) fn no_endpoint(id: &str) -> KmsError {
    KmsError::new(
        ErrorCode::NotFound,
        format!("There is no endpoint {id}; state one with PutVpcEndpoint"),
    )
}
