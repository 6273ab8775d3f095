//! The actions of the same service that are not offered, and why.

use crate::error::ApiError;

const OFFERED: &str = "Offered are exportData, getExportResults and multi.";

/// Actions of the vendor's documents, and why there is no answer to them.
const ACTIONS: [(&[&str], &str); 5] = [
    (
        &["exportUsers", "exportUser"],
        "the lake has sessions, not users; attributes of users are in the sessions of exportData",
    ),
    (
        &["exportReport"],
        "reports are made by the vendor's own program; make them of the rows of exportData",
    ),
    (
        &["getAbTests", "getAbTest", "getVariant", "getMessages", "getMessage"],
        "the lake has no tests and messages; which variants a session had is in the experiments of exportData",
    ),
    (
        &["addPostback", "listPostbacks", "deletePostback"],
        "nothing is posted but the callbackUrl of exportData",
    ),
    (
        &[
            "start",
            "stop",
            "track",
            "advance",
            "setUserAttributes",
            "setDeviceAttributes",
            "incrementUserAttributes",
            "pauseSession",
            "resumeSession",
            "pauseState",
            "resumeState",
            "heartbeat",
            "sendMessage",
            "getVars",
            "getInbox",
            "deleteUser",
            "blockUser",
        ],
        "data is exported here, not taken in",
    ),
];

/// Returns the refusal of an action that is not offered, or that nobody knows.
pub(crate) fn not_offered(action: &str) -> ApiError {
    let reason = ACTIONS.iter().find(|(actions, _)| actions.contains(&action));
    if let Some((_, reason)) = reason {
        return ApiError::bad(format!("{action} is not offered here: {reason}. {OFFERED}"));
    }
    let action: String = action.chars().take(60).collect();
    ApiError::bad(format!("Unknown action: {action}. {OFFERED}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_action_is_refused_by_its_name_and_reason() {
        let said = |action: &str| not_offered(action).element().error.unwrap().message;
        for action in ["exportUsers", "exportReport", "exportUser", "getAbTests", "addPostback"] {
            let said = said(action);
            assert!(said.starts_with(&format!("{action} is not offered here: ")), "{said}");
            assert!(said.ends_with(OFFERED), "{said}");
        }
        assert!(said("fly").starts_with("Unknown action: fly."));
        assert!(said(&"x".repeat(100_000)).len() < 200);
    }
}
