//! Checks what a user wants of a share.

use jiff::Timestamp;
use serde_json::Value;

use super::fields::is_plain;
use crate::{Fault, Faults, Limits, ShareRequest};

impl ShareRequest {
    /// Reads the JSON body that asks for a share, or returns every fault in it.
    pub fn from_json(body: &Value, limits: &Limits, now: Timestamp) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        match share(&mut faults, Some(body), "", limits, now) {
            Some(request) if faults.is_empty() => Ok(request),
            Some(_) | None => Err(faults),
        }
    }
}

/// Reads what is wanted of a share. `None` if no share is wanted, or if it cannot be read.
pub(super) fn share(
    faults: &mut Faults,
    value: Option<&Value>,
    at: &str,
    limits: &Limits,
    now: Timestamp,
) -> Option<ShareRequest> {
    let object = match value {
        Some(Value::Object(object)) => object,
        None | Some(Value::Null) if !at.is_empty() => return None,
        None | Some(_) => {
            let detail =
                "A share is an object, as {} or {\"once\": true, \"note\": \"for the auditors\"}.";
            faults.push(Fault::new("wrong_type", at, detail));
            return None;
        }
    };
    faults.known_fields(object, at, &["expires_at", "note", "once"]);
    let end_at = format!("{at}/expires_at");
    let expires_at = match object.get("expires_at") {
        None | Some(Value::Null) => None,
        given => faults.instant(given, &end_at),
    };
    if expires_at.is_some_and(|end| end <= now) {
        let detail = "A share cannot end before it begins. Give a later instant, or none: then it ends with the \
                      export.";
        faults.push(Fault::new("ends_in_past", end_at, detail));
    }
    let note = faults.text(object.get("note"), &format!("{at}/note"), limits.note_chars, is_plain);
    let once = match object.get("once") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(other) => {
            let detail = "It is true or false: whether the link can be used once only.";
            faults.push(Fault::new("wrong_type", format!("{at}/once"), detail).value(other));
            false
        }
    };
    Some(ShareRequest { expires_at, note, once })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{good, order};
    use super::*;

    fn read(body: &Value) -> Result<ShareRequest, Faults> {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        ShareRequest::from_json(body, &Limits::default(), now)
    }

    #[test]
    fn a_share_may_have_an_end_a_note_and_one_use() {
        assert_eq!(read(&json!({})), Ok(ShareRequest::default()));
        let none = json!({ "expires_at": null, "note": null, "once": null });
        assert_eq!(read(&none), Ok(ShareRequest::default()));
        let all =
            json!({ "expires_at": "2026-06-01T00:00:00.000001Z", "note": "für Ana", "once": true });
        let read = read(&all).unwrap();
        assert_eq!((read.note.as_deref(), read.once), (Some("für Ana"), true));
        assert_eq!(read.expires_at, "2026-06-01T00:00:00.000001Z".parse().ok());
    }

    #[test]
    fn every_fault_of_a_share_is_named() {
        for (body, code, pointer) in [
            (json!([]), "wrong_type", ""),
            (json!(null), "wrong_type", ""),
            (json!({ "until": "2027-01-01T00:00:00Z" }), "unknown_field", "/until"),
            (json!({ "expires_at": "tomorrow" }), "not_an_instant", "/expires_at"),
            (json!({ "expires_at": "2026-06-01T00:00:00Z" }), "ends_in_past", "/expires_at"),
            (json!({ "note": "" }), "wrong_text", "/note"),
            (json!({ "note": "a\nb" }), "wrong_text", "/note"),
            (json!({ "note": "ü".repeat(501) }), "wrong_text", "/note"),
            (json!({ "once": "true" }), "wrong_type", "/once"),
        ] {
            let faults = read(&body).unwrap_err();
            let [fault] = faults.listed() else { panic!("{body}: {faults:?}") };
            assert_eq!((fault.code, &*fault.pointer), (code, pointer), "{body}");
        }
        assert!(read(&json!({ "note": "ü".repeat(500) })).is_ok());
    }

    #[test]
    fn an_export_can_be_shared_in_the_request_that_makes_it() {
        let mut body = good();
        assert_eq!(order(&body).unwrap().share, None);
        body["share"] = json!({ "once": true });
        let once = ShareRequest { once: true, ..ShareRequest::default() };
        assert_eq!(order(&body).unwrap().share, Some(once));
        body["share"] = json!({ "once": 1 });
        assert_eq!(order(&body).unwrap_err().listed()[0].pointer, "/share/once");
    }
}
