//! What callers stated about alerts, as it stands in the store: it is read there, so that what was stated a moment ago
//! holds in every answer, however far behind the detectors are.

use super::{
    Engine,
    book::{Acknowledgement, AlertEntry, SilenceEntry},
    lock,
};
use chrono::DateTime;
use keyward_store::StoreError;
use keyward_types::{
    AccountId, AcknowledgementRecord, AlertName, AlertRecord, AlertSettingsRecord, KmsError,
    SilenceRecord,
};
use keyward_watch::{Detector, Settings, Silence};
use std::collections::BTreeMap;

/// Silences that an account may have at once.
pub const SILENCES_MAX: usize = 200;

impl Engine {
    /// The silences of an account that hold now, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alert_silences(&self, account: &AccountId) -> Result<Vec<SilenceEntry>, KmsError> {
        let (all, now) = (self.store().silences(account).map_err(KmsError::internal)?, self.now());
        let entries = all.iter().filter_map(|record| silence(record));
        Ok(entries.filter(|entry| now.0 < entry.silence.until.timestamp_millis()).collect())
    }

    /// The settings that a request stated; where there are none, those of the configuration hold.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn stated_alert_settings(&self) -> Result<Option<Settings>, KmsError> {
        let record = self.store().alert(&AlertName::Settings).map_err(KmsError::internal)?;
        Ok(record.and_then(|record| settings(&record)))
    }

    /// The alerts of an account as the detectors told them, and who looks after them; in no order that means anything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alert_entries(&self, account: &AccountId) -> Result<Vec<AlertEntry>, KmsError> {
        let known = self.store().acknowledgements(account).map_err(KmsError::internal)?;
        let known = known.iter().filter_map(|record| match &**record {
            AlertRecord::Acknowledgement(one) => Some((one.alert_id.as_str(), acknowledged(one))),
            _ => None,
        });
        let known: BTreeMap<&str, Acknowledgement> = known.collect();
        let book = lock(&self.alerts.book);
        let own = book.alerts().filter(|entry| *entry.alert.subject.account == *account.as_str());
        let own = own.map(|entry| AlertEntry {
            acknowledged: known.get(entry.id.as_str()).cloned(),
            ..entry.clone()
        });
        Ok(own.collect())
    }

    /// Every silence, and the settings.
    pub(super) fn all_stated(&self) -> Result<(Vec<SilenceEntry>, Option<Settings>), StoreError> {
        let (mut silences, mut stated) = (Vec::new(), None);
        for record in self.store().alerts_everywhere() {
            let record = record?;
            silences.extend(silence(&record));
            stated = stated.or_else(|| settings(&record));
        }
        Ok((silences, stated))
    }
}

pub(crate) fn acknowledged(record: &AcknowledgementRecord) -> Acknowledgement {
    let AcknowledgementRecord { by, at, comment, .. } = record;
    Acknowledgement { by: by.clone(), at: *at, comment: comment.clone() }
}

fn silence(record: &AlertRecord) -> Option<SilenceEntry> {
    let AlertRecord::Silence(record) = record else { return None };
    let SilenceRecord { account, id, detector, principal, key, reason, by, since, until } = record;
    let named = |name: &String| Detector::ALL.into_iter().find(|one| one.as_str() == name);
    // One of a detector that is no more silences nothing.
    let detector = match detector {
        None => None,
        Some(name) => Some(named(name)?),
    };
    let silence = Silence {
        until: DateTime::from_timestamp_millis(until.0)?,
        reason: reason.clone(),
        detector,
        account: Some(account.to_string()),
        principal: principal.clone(),
        key: key.clone(),
    };
    Some(SilenceEntry { id: id.clone(), silence, by: by.clone(), since: *since })
}

fn settings(record: &AlertRecord) -> Option<Settings> {
    let AlertRecord::Settings(AlertSettingsRecord { text, .. }) = record else { return None };
    serde_json::from_str(text).ok()
}
