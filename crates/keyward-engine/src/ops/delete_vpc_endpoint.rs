//! `DeleteVpcEndpoint`, Keyward's own: what still comes through it is limited by nothing of its own.

use super::{describe_vpc_endpoint::no_endpoint, organization_prelude::*};

pub(crate) struct DeleteVpcEndpoint;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    vpc_endpoint_id: String,
}

impl Operation for DeleteVpcEndpoint {
    const SPEC: Spec = Spec {
        logged: &["VpcEndpointId"],
        ..own("DeleteVpcEndpoint", "DELETE", "/v1/vpc-endpoints/{VpcEndpointId}", &[ENDPOINT_ID])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        of_own_account(call)?;
        let name = Name::Endpoint(input.vpc_endpoint_id.clone());
        call.rest_on(name.clone());
        let found = call.store().endpoint(&input.vpc_endpoint_id).map_err(KmsError::internal)?;
        if found.is_none() {
            return Err(no_endpoint(&input.vpc_endpoint_id));
        }
        call.delete(name);
        Ok(Empty)
    }
}
