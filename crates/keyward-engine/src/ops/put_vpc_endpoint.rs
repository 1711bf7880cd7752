//! `PutVpcEndpoint`, Keyward's own: the policy of an endpoint, over every request that a trusted front says came
//! through it. AWS's ModifyVpcEndpoint: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html>

use super::{describe_vpc_endpoint::Endpoint, organization_prelude::*};
use keyward_types::EndpointRecord;

/// AWS's policy of an endpoint that was given none.
const DEFAULT_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

pub(crate) struct PutVpcEndpoint;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    vpc_endpoint_id: String,
    vpc_id: Option<String>,
    policy_document: Option<String>,
}

impl Operation for PutVpcEndpoint {
    const SPEC: Spec = Spec {
        logged: &["VpcEndpointId", "VpcId", "PolicyDocument"],
        ..own(
            "PutVpcEndpoint",
            "PUT",
            "/v1/vpc-endpoints/{VpcEndpointId}",
            &[ENDPOINT_ID, VPC_ID, ENDPOINT_POLICY],
        )
    };
    type Input = Input;
    type Output = Endpoint;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Endpoint, KmsError> {
        of_own_account(call)?;
        let text = input.policy_document.as_deref().unwrap_or(DEFAULT_POLICY);
        let record = EndpointRecord {
            id: input.vpc_endpoint_id.clone(),
            vpc: input.vpc_id.clone(),
            account: call.caller().account.clone(),
            document: endpoint_policy(call, text)?,
            updated: call.now(),
        };
        let output = Endpoint::of(&record);
        call.put(Record::Endpoint(record));
        Ok(output)
    }
}
