//! `ListVpcEndpoints`, Keyward's own.

use super::{describe_vpc_endpoint::Endpoint, organization_prelude::*};

pub(crate) struct ListVpcEndpoints;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    vpc_endpoints: Vec<Endpoint>,
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListVpcEndpoints {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["Limit", "Marker"],
        ..own("ListVpcEndpoints", "GET", "/v1/vpc-endpoints", &[LIMIT, MARKER])
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        of_own_account(call)?;
        let limit = page_limit(input.limit, 50, 100);
        let list = "vpc-endpoints";
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(list, marker)).transpose()?;
        let mut endpoints = call.store().endpoints().map_err(KmsError::internal)?;
        endpoints.retain(|endpoint| after.as_ref().is_none_or(|after| *after < endpoint.id));
        endpoints.truncate(limit + 1);
        let (endpoints, page) = page(call, list, endpoints, limit, |one| one.id.clone())?;
        Ok(Output { vpc_endpoints: endpoints.iter().map(|one| Endpoint::of(one)).collect(), page })
    }
}
