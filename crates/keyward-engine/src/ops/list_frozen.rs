//! `ListFrozen`: everything of the account that is frozen now, with who froze it and why. Keyward's own.

use super::{prelude::*, thaw::Frozen};

pub(crate) struct ListFrozen;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    frozen: Vec<Frozen>,
    #[serde(flatten)]
    page: Page,
}

impl Operation for ListFrozen {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        states: &[],
        read_only: true,
        logged: &["Limit", "Marker"],
        errors: &[ErrorCode::InvalidMarker],
        ..control("ListFrozen", "GET", "/v1/incident/frozen", &[LIMIT, MARKER])
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let limit = page_limit(input.limit, 100, 1_000);
        let list = "frozen";
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(list, marker)).transpose()?;
        let freezes = call.store().freezes(&call.caller().account).map_err(KmsError::internal)?;
        let mut frozen: Vec<Frozen> = freezes.iter().map(|freeze| Frozen::of(freeze)).collect();
        frozen.sort_by_key(Frozen::place);
        frozen.retain(|one| after.as_ref().is_none_or(|after| *after < one.place()));
        frozen.truncate(limit + 1);
        let (frozen, page) = page(call, list, frozen, limit, Frozen::place)?;
        Ok(Output { frozen, page })
    }
}
