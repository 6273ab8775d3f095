//! What this deployment does not do for anybody, whatever a request's syntax.

use export::{CallbackHosts, Fault, Faults, Order};

/// Where callbacks may go, and whose roles are never taken on.
#[derive(Clone, Debug)]
pub(crate) struct Forbidden {
    /// The account that this deployment runs in.
    pub(crate) own_account: String,
    /// The hosts that callbacks may be posted to.
    pub(crate) callback_hosts: CallbackHosts,
}

impl Forbidden {
    /// Returns what is wrong with an order for this deployment. Callbacks to names are checked again when
    /// they are posted: only then is it known where a name leads.
    pub(crate) fn faults(&self, order: &Order) -> Faults {
        let mut faults = Faults::default();
        let callback = order.callback.as_ref().map_or(Ok(()), |url| self.callback_hosts.check(url));
        if let Err(error) = callback {
            let detail = format!("Give a URL that can be reached from outside: {error}.");
            faults.push(Fault::new("forbidden_host", "/callback/url", detail));
        }
        let account = order.copy.as_ref().and_then(|(_, opener)| opener.account());
        if account == Some(&self.own_account) {
            let detail = "This role belongs to the account that Decant itself runs in, whose roles are \
                          never taken on. Give a role of your own account.";
            faults.push(Fault::new("forbidden_role", "/copy/role_arn", detail));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use export::{Catalog, Limits};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn order(more: &Value) -> Order {
        let mut body = json!({
            "tables": ["liferay_page"],
            "window": { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
            "format": "csv",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let now: Timestamp = "2026-03-03T00:00:00Z".parse().unwrap();
        let catalog = Catalog::built_in().unwrap();
        Order::from_json(&body, &catalog, &[], &Limits::default(), now).unwrap()
    }

    fn codes(callback_hosts: CallbackHosts, more: &Value) -> Vec<&'static str> {
        let forbidden = Forbidden { own_account: "999988887777".into(), callback_hosts };
        forbidden.faults(&order(more)).listed().iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn a_role_of_the_operators_own_account_is_refused_and_one_of_a_users_is_not() {
        let copy = |account: &str| {
            let role = format!("arn:aws:iam::{account}:role/decant-deploy");
            json!({ "copy": { "bucket": "acme-exports", "role_arn": role } })
        };
        assert_eq!(codes(CallbackHosts::Public, &copy("999988887777")), ["forbidden_role"]);
        assert_eq!(codes(CallbackHosts::Public, &copy("111122223333")), [""; 0]);
    }

    #[test]
    fn a_callback_to_a_forbidden_host_is_refused_before_an_export_is_made() {
        let to = |url: &str| json!({ "callback": { "url": url } });
        for url in ["http://169.254.169.254/", "http://0x7f.1:8080/", "https://[::1]/"] {
            assert_eq!(codes(CallbackHosts::Public, &to(url)), ["forbidden_host"], "{url}");
        }
        assert_eq!(codes(CallbackHosts::Public, &to("https://example.com/")), [""; 0]);
        let listed = || "hooks.example.com".parse::<CallbackHosts>().unwrap();
        assert_eq!(codes(listed(), &to("https://example.com/")), ["forbidden_host"]);
        assert_eq!(codes(listed(), &to("https://hooks.example.com/")), [""; 0]);
    }
}
