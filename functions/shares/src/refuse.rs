//! What is answered where a link leads to nothing, or not yet.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use service::Gone;
use web::Problem;

use crate::{
    open::{LOOK_AGAIN_SECONDS, OpenRequest},
    page,
};

/// What a link is answered with that is unknown, or was guessed.
pub(crate) fn unknown() -> Problem {
    Problem::not_found(
        "link_not_found",
        "There is no such link, or its export is long gone. Check that you have all of it, or ask whoever gave it \
         to you for a new one.",
    )
}

/// What a link is answered with that leads to nothing any more.
pub(crate) fn ended(gone: Gone) -> Problem {
    let ended = |code, detail| Problem::new(StatusCode::GONE, code, detail);
    match gone {
        Gone::Revoked => ended(
            "link_revoked",
            "The link was withdrawn by whoever shared it. Ask them for a new one.",
        ),
        Gone::Used => ended(
            "link_used",
            "The link could be used once, and was. Ask whoever gave it to you for a new one.",
        ),
        Gone::Expired => ended(
            "link_expired",
            "The link has ended. Ask whoever gave it to you for a new export and its link.",
        ),
        Gone::Deleted => ended(
            "link_deleted",
            "The files behind the link were deleted. Ask whoever gave it to you for a new export.",
        ),
        Gone::Failed => ended(
            "link_failed",
            "The export behind the link could not be made, or was cancelled. Ask whoever gave it to you for \
             another one.",
        ),
    }
}

/// What a program is answered whose export is still being made.
pub(crate) fn not_ready() -> Problem {
    let detail = "The export behind the link is still being made. Ask again soon.";
    Problem::conflict("export_unfinished", detail)
        .header(header::RETRY_AFTER, HeaderValue::from(LOOK_AGAIN_SECONDS))
}

/// What a program is answered that only looked at a link that can be used once.
pub(crate) fn post_required() -> Problem {
    let detail =
        "The link can be used once. POST to it to use it: looking at it by GET or HEAD does not.";
    Problem::conflict("post_required", detail)
}

impl OpenRequest {
    /// Answers a problem to a person as a page, to a program as it is.
    pub(crate) fn refuse(&self, problem: Problem) -> Response {
        if self.wants_page { page::problem(problem) } else { problem.into_response() }
    }
}
