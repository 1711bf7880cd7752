//! `/v1/events/rare`: what is rare for a principal, and with `new` what it never did before that time.
//!
//! A value is rare when it makes up at most a share of what its own principal did, of principals that did enough to
//! tell. As `/v1/events/stats` it reads the newest events that match, so many at most, and says where it stopped early;
//! what could not be told is named.

use super::{
    LIST, admitted,
    asked::{Asked, bad, time},
    each,
    stats::{LOOKED_MAX, name},
};
use crate::{answer, doors::Doors, rest::decoded};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use keyward_trail::query::{
    Field,
    facets::{Habit, HabitLimits, Habits, Seen},
};
use keyward_types::{Caller, KmsError, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What is looked at when nobody says by what.
const BY: [Field; 4] = [Field::Operation, Field::Key, Field::Ip, Field::Agent];

/// One in a hundred, of principals with a hundred events.
const SHARE_DEFAULT: u64 = 10;
const LEAST_DEFAULT: u64 = 100;

/// What is asked beside the events to look at.
#[derive(Debug, PartialEq, Eq)]
struct Habitual {
    /// Of a thousand.
    share: u64,
    least: u64,
    new: Option<Timestamp>,
}

pub(super) async fn serve(request: HttpRequest, doors: Data<Doors>) -> HttpResponse {
    let request_id = doors.engine.fresh_id();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let answer = async {
        let caller = admitted(&request, &doors, LIST, request_id).await?;
        let (habitual, rest) = Habitual::of(&query, doors.engine.now())?;
        let asked = Asked::of(&rest, doors.engine.now())?;
        let doors = Data::clone(&doors);
        let found = actix_web::web::block(move || find(&doors, &caller, asked, &habitual)).await;
        found.map_err(KmsError::internal)?
    };
    match answer.await {
        Ok(body) => answer::begin(StatusCode::OK, answer::JSON, request_id).body(body.to_string()),
        Err(error) => answer::rest_error(&error, request_id),
    }
}

impl Habitual {
    /// Its own parameters, and the rest of them.
    fn of(text: &str, now: Timestamp) -> Result<(Self, String), KmsError> {
        let mut habitual = Self { share: SHARE_DEFAULT, least: LEAST_DEFAULT, new: None };
        let mut rest = Vec::new();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            match name {
                "share" => habitual.share = thousandths(&value)?,
                "least" => habitual.least = least(&value)?,
                "new" => habitual.new = Some(time(name, &value, now)?),
                _ => rest.push(pair),
            }
        }
        Ok((habitual, rest.join("&")))
    }
}

/// A percentage with one decimal at most.
fn thousandths(text: &str) -> Result<u64, KmsError> {
    let wanted = || bad("share", "a percentage from 0.1 to 100, such as 1 or 0.5");
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(tenths) || tenths.len() != 1 {
        return Err(wanted());
    }
    let share = format!("{whole}{tenths}").parse().ok().filter(|share| (1..=1_000).contains(share));
    share.ok_or_else(wanted)
}

fn least(text: &str) -> Result<u64, KmsError> {
    let least = text.parse().ok().filter(|least| 0 < *least);
    least.ok_or_else(|| bad("least", "a number of events from 1"))
}

fn find(
    doors: &Doors,
    caller: &Arc<Caller>,
    mut asked: Asked,
    habitual: &Habitual,
) -> Result<Value, KmsError> {
    let by = if asked.by.is_empty() { BY.to_vec() } else { core::mem::take(&mut asked.by) };
    let listed = core::mem::replace(&mut asked.limit, 1_000);
    let mut habits = Habits::new(by, HabitLimits::default());
    let mut records = 0_u64;
    let looked = each(&doors.engine, caller, &asked, LOOKED_MAX, |_, record| {
        records += 1;
        habits.add(record);
        true
    })?;
    let mut answer = Map::new();
    answer.insert("Records".to_owned(), records.into());
    list(&mut answer, "Rare", &habits.rare(habitual.share, habitual.least), listed);
    if let Some(time) = habitual.new {
        list(&mut answer, "New", &habits.new_since(time), listed);
    }
    let varied =
        |(principal, field): (&str, &Field)| json!({"Principal": principal, "Field": name(field)});
    answer.insert("Varied".to_owned(), habits.varied().take(listed).map(varied).collect());
    answer.insert("LeftOut".to_owned(), habits.left_out().into());
    answer.insert("Query".to_owned(), asked.query.to_string().into());
    answer.insert("Complete".to_owned(), looked.next.is_none().into());
    Ok(answer.into())
}

/// The first of them, and how many there are.
fn list(answer: &mut Map<String, Value>, name: &str, habits: &[Habit], listed: usize) {
    answer.insert(name.to_owned(), habits.iter().take(listed).map(habit).collect());
    answer.insert(format!("{name}Total"), habits.len().into());
}

fn habit(habit: &Habit) -> Value {
    let Habit { principal, field, value, count, of, seen: Seen { first, last } } = habit;
    json!({
        "Principal": principal,
        "Field": name(field),
        "Value": value,
        "Count": count,
        "Of": of,
        "First": first.map(Timestamp::wire),
        "Last": last.map(Timestamp::wire),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn its_own_parameters_are_taken_out() {
        let (habitual, rest) =
            Habitual::of("q=op%3ASign&share=0.5&least=7&new=2h&limit=3", NOW).unwrap();
        assert_eq!(rest, "q=op%3ASign&limit=3");
        let new = Some(Timestamp(NOW.0 - 7_200_000));
        assert_eq!(habitual, Habitual { share: 5, least: 7, new });
        let (habitual, rest) = Habitual::of("", NOW).unwrap();
        assert_eq!((habitual.share, habitual.least, rest.as_str()), (10, 100, ""));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "share=0",
            "share=100.1",
            "share=1.25",
            "share=.5",
            "share=1%25",
            "share=-1",
            "share=",
            "least=0",
            "least=x",
            "new=soon",
            "new=",
        ] {
            assert!(Habitual::of(bad, NOW).is_err(), "{bad}");
        }
        for (good, share) in [("100", 1_000), ("1", 10), ("0.1", 1), ("12.3", 123)] {
            assert_eq!(thousandths(good).unwrap(), share);
        }
    }
}
