//! `ListFrozen`: everything of the account that is frozen now, with who froze it and why. Keyward's own.

use super::{prelude::*, thaw::Frozen};

pub(crate) struct ListFrozen;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    frozen: Vec<Frozen>,
}

impl Operation for ListFrozen {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        read_only: true,
        logged: &[],
        ..control("ListFrozen", "GET", "/v1/incident/frozen", &[])
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let freezes = call.store().freezes(&call.caller().account).map_err(KmsError::internal)?;
        Ok(Output { frozen: freezes.iter().map(|freeze| Frozen::of(freeze)).collect() })
    }
}
