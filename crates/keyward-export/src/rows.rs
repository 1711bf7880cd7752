//! Events as rows: the members that people look at, one column each.
//!
//! A row is for spreadsheets and query engines; the whole record is in JSON lines and in CloudTrail's files.
//!
//! INVARIANT: no cell of CSV begins like a formula: what a client sent as its user agent is not run by whoever
//! opens the file.
//! Source: RFC 4180; <https://owasp.org/www-community/attacks/CSV_Injection>

use serde_json::Value;

/// A column: its name, and where its value is in the record.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub pointer: &'static str,
}

const fn column(name: &'static str, pointer: &'static str) -> Column {
    Column { name, pointer }
}

pub const COLUMNS: &[Column] = &[
    column("eventTime", "/eventTime"),
    column("eventID", "/eventID"),
    column("eventName", "/eventName"),
    column("eventSource", "/eventSource"),
    column("awsRegion", "/awsRegion"),
    column("recipientAccountId", "/recipientAccountId"),
    column("userIdentityType", "/userIdentity/type"),
    column("userIdentityAccountId", "/userIdentity/accountId"),
    column("userIdentityPrincipalId", "/userIdentity/principalId"),
    column("userIdentityArn", "/userIdentity/arn"),
    column("userIdentityAccessKeyId", "/userIdentity/accessKeyId"),
    column("userIdentityInvokedBy", "/userIdentity/invokedBy"),
    column("sourceIPAddress", "/sourceIPAddress"),
    column("userAgent", "/userAgent"),
    column("errorCode", "/errorCode"),
    column("errorMessage", "/errorMessage"),
    column("readOnly", "/readOnly"),
    column("requestID", "/requestID"),
    column("resources", "/resources"),
    column("requestParameters", "/requestParameters"),
    column("responseElements", "/responseElements"),
    column("additionalEventData", "/additionalEventData"),
];

impl Column {
    /// Text as it is, anything else as JSON; `None` for what is absent or null.
    pub fn value(&self, record: &Value) -> Option<String> {
        match record.pointer(self.pointer)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// The first line.
pub fn csv_header() -> String {
    COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(",")
}

/// One line, which has line breaks in it where a value has.
pub fn csv_row(record: &Value) -> String {
    let cell = |column: &Column| column.value(record).map(|text| cell(&text)).unwrap_or_default();
    COLUMNS.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        for (text, written) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(cell(text), written);
        }
        let record = serde_json::json!({
            "eventTime": "t", "readOnly": true, "resources": [{"ARN": "a"}], "errorCode": null,
        });
        let row = csv_row(&record);
        assert!(row.starts_with("t,,"), "{row}");
        assert!(row.contains(",true,,\"[{\"\"ARN\"\":\"\"a\"\"}]\","), "{row}");
        assert_eq!(csv_header().split(',').count(), COLUMNS.len());
        // Who acted in the copy that a key's owner has, without an ARN.
        let identity = serde_json::json!({"accountId": "999988887777", "principalId": "AIDA1"});
        let row = csv_row(&serde_json::json!({"userIdentity": identity}));
        assert!(row.contains(",999988887777,AIDA1,,"), "{row}");
    }
}
