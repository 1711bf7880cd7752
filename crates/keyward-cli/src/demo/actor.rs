//! One principal: its credentials, where it asks from, and with what.

use super::stage::Tally;
use crate::{
    args::Common,
    client::Client,
    exit::{CliError, Exit},
};
use keyward_types::Clock;
use serde_json::Value;
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// Names the address that a request comes from, to a service that believes it.
pub(super) const ADDRESS_HEADER: &str = "x-forwarded-for";

#[derive(Clone)]
pub(super) struct Actor {
    pub(super) arn: String,
    common: Common,
    address: &'static str,
    agent: &'static str,
    clock: Arc<dyn Clock>,
    tally: Rc<RefCell<Tally>>,
}

impl Actor {
    /// The root user.
    pub(super) fn root(common: &Common, clock: Arc<dyn Clock>, tally: Rc<RefCell<Tally>>) -> Self {
        Self {
            arn: String::new(),
            common: common.clone(),
            address: "10.0.0.2",
            agent: "aws-cli/2.27.1 md/prompt#off",
            clock,
            tally,
        }
    }

    /// Another principal of the same service.
    pub(super) fn other(&self, arn: &str, key: (String, String), token: Option<String>) -> Self {
        let (access_key_id, secret_access_key) = key;
        let common = Common {
            access_key_id,
            secret_access_key,
            session_token: token,
            ..self.common.clone()
        };
        Self { arn: arn.to_owned(), common, ..self.clone() }
    }

    /// The same principal from elsewhere.
    pub(super) fn from(&self, address: &'static str, agent: &'static str) -> Self {
        Self { address, agent, ..self.clone() }
    }

    fn headers(&self) -> [(&'static str, &'static str); 2] {
        [(ADDRESS_HEADER, self.address), ("user-agent", self.agent)]
    }

    /// Asks KMS; a refusal is an error.
    pub(super) fn kms(&self, operation: &str, input: &Value) -> Result<Value, CliError> {
        let target = format!("TrentService.{operation}");
        let [address, agent] = self.headers();
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
            address,
            agent,
        ];
        let client = Client::at(&self.common, &*self.clock);
        let answer = client.send("POST", "/", &headers, input.to_string().as_bytes())?;
        self.tally.borrow_mut().count(answer.status == 200);
        let body = answer.json()?;
        if answer.status == 200 {
            return Ok(body);
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = format!("{}{}", text("message"), text("Message"));
        Err(CliError::of_answer(answer.status, text("__type"), &message))
    }

    /// Asks KMS and goes on whatever it answers; only a service that is gone is an error.
    pub(super) fn tries(&self, operation: &str, input: &Value) -> Result<Option<Value>, CliError> {
        match self.kms(operation, input) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.exit == Exit::Unreachable => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Asks IAM or STS and gives the XML.
    pub(super) fn query(&self, service: &str, pairs: &[(&str, &str)]) -> Result<String, CliError> {
        let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
        let version = [("Version", version)];
        let pairs = pairs.iter().chain(&version);
        let body: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", crate::client::encoded(value)))
            .collect();
        let answer = Client::at(&self.common, &*self.clock).query(service, &body.join("&"))?;
        self.tally.borrow_mut().count(answer.status == 200);
        let text = answer.text();
        if answer.status == 200 {
            return Ok(text);
        }
        let of = |name: &str| element(&text, name).unwrap_or_default();
        Err(CliError::of_answer(answer.status, &of("Code"), &of("Message")))
    }

    /// A request with a wrong signature: it leaves no event, and counts as one that proved nothing.
    pub(super) fn forged(&self) -> Result<(), CliError> {
        let common = Common { secret_access_key: "guessed".to_owned(), ..self.common.clone() };
        let forger = Self { common, ..self.clone() };
        forger.tries("ListKeys", &Value::Object(Default::default())).map(drop)
    }
}

/// The text of the first element of this name.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn the_first_element_is_read() {
        let xml = "<A><Key>a&amp;b</Key><Key>c</Key></A>";
        assert_eq!(element(xml, "Key").as_deref(), Some("a&b"));
        assert_eq!(element(xml, "Other"), None);
    }
}
