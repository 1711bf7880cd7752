//! # Alerts
//!
//! Detectors (`keyward-watch`) read the event log as it grows, on a thread of their own. What they tell is written to
//! the log as AlertFired and AlertResolved, and from there to whoever is to know.
//!
//! ## Configuration
//!
//! ```toml
//! [alerts]
//! enabled = true            # false: no detectors, and /v1/alerts says so
//! rebuild_days = 30         # lost state is learned again from so much of the log
//! save_seconds = 300        # how often what was learned is saved
//! file = "/var/log/keyward-alerts.jsonl"
//! external_url = "https://keys.example.com"   # for links in what an Alertmanager shows
//! ca = "/etc/keyward/roots.pem"               # trusted beside the public roots
//! allow_link_local = false
//!
//! [alerts.settings]         # what PUT /v1/alerts/settings takes, too
//! canaries = ["alias/bait", "mrk-0123*"]      # any use is told
//! off = ["new_operation"]                     # detectors that are off
//! approvals = [{ grantee = "arn:aws:iam::111122223333:role/*", key = "*", operations = ["Decrypt"] }]
//! [alerts.settings.rates.floors]              # events a minute in a series' first 24 hours
//! operations = 100
//! refusals = 20
//! [alerts.settings.rates.lines]               # score, ratio, above_peak for 1, 2, 10 and 60 minutes
//! score = [5.5, 5.2, 4.8, 4.4]
//! [[alerts.settings.keys]]                    # what differs for some keys; the first that fits holds
//! key = "mrk-*"
//! floor = 10
//! off = ["first_use_of_key"]
//! [[alerts.settings.silences]]
//! until = "2026-12-31T00:00:00Z"
//! reason = "a migration"
//! principal = "arn:aws:iam::111122223333:role/migration"
//!
//! [[alerts.webhooks]]
//! url = "https://hooks.example.com/keyward"
//! secret_file = "/etc/keyward/hook.secret"
//!
//! [[alerts.alertmanagers]]
//! url = "http://127.0.0.1:9093"
//! resend_seconds = 60
//! allow_remote_plaintext = false   # true: also by http:// on another machine, where no TLS is
//! ```
//!
//! `keyward dev --alerts FILE` takes this section of a file. All settings, with their defaults, are shown by
//! `keyward alert settings`. Settings that a request put in (PutAlertSettings) hold in place of the configuration's until
//! one puts in none.
//!
//! ## Permissions
//!
//! | to | needs, on `*` |
//! |---|---|
//! | list and show alerts | `keyward:ListAlerts` |
//! | acknowledge | `keyward:AckAlert` |
//! | list, make and end silences | `keyward:ListAlertSilences`, `keyward:CreateAlertSilence`, `keyward:ExpireAlertSilence` |
//! | read and state settings | `keyward:GetAlertSettings`, `keyward:PutAlertSettings`; the latter in the service's own account |
//!
//! Alerts, silences and acknowledgements are an account's own; settings are the service's. Who acknowledged what, silences
//! and settings are records in the store, written with the events of these operations: they hold for the next request, and
//! outlive the events and the state file. An account has at most 200 silences at once. Settings are bounded too (such as
//! 50,000 series and 500 canaries); what goes beyond is refused and the limit named.
//!
//! ## What is told
//!
//! A webhook gets a POST for each notice: `{"Type": "AlertFired" | "AlertResolved", "NoticeId", "Time", "Alert": {…}}`,
//! with the headers of Standard Webhooks: `webhook-id`, `webhook-timestamp` and, with a secret, `webhook-signature`, which
//! is `v1,` and the base64 of HMAC-SHA-256 over `ID.TIMESTAMP.BODY`. Receivers should refuse old timestamps and ids that
//! they have had. What fails is tried again after 1, 2, 4 … seconds, up to 5 minutes, for as long as it takes; a
//! notice that is refused with 400, 413 or 422 three times is left out. Notices come in order. How far each target
//! is stands beside the store; the queue is the log.
//!
//! The file gets the same objects, one a line. An Alertmanager (`POST /api/v2/alerts`) gets what fires every
//! `resend_seconds`, and what ended for a quarter of an hour; the labels are `alertname` (such as `KeywardRate`),
//! `detector`, `severity`, `account`, and `principal`, `key` and `what` where they are known.
//!
//! Each target is told on a thread of its own, so that a slow one delays no other; there are at most 16 webhooks and 16
//! Alertmanagers. `kms_alert_targets_failing` counts those that could not be told the last time. What is printed of a URL
//! is its host: the rest may be a token.
//!
//! Targets are `https://`, or `http://` on this machine (localhost or a loopback address). An Alertmanager on another
//! machine that speaks no TLS needs `allow_remote_plaintext = true` for itself; without it the service does not start.
//! Link-local and metadata addresses are refused, whatever a name
//! leads to, unless `allow_link_local` is set.
