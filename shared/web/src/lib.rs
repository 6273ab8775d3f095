//! What every HTTP function needs: who calls, under which base URL, and how to say what is wrong.

mod authentication;
mod base_path;
mod body;
mod context;
mod download;
mod json_body;
mod kit;
mod problem;
mod query;
mod serve;
mod services;

/// The most bytes of a list in an answer: API Gateway and Lambda take 6 MB, headers and escapes included.
pub const MAX_LIST_BYTES: usize = 4 << 20;

pub use authentication::{AuthError, Authenticator, Credential};
pub use body::{is_json, nesting, parse_json};
pub(crate) use context::with_context;
pub use context::{BaseUrl, RequestTime};
pub use download::{lead_to, link_method, tell_bad_rows, wants_redirect};
pub use json_body::{BodyError, JsonBody};
pub use kit::{Api, Authorized, Edit, Kit, Public, Required, Site, View, router};
pub use problem::{Problem, RETRY_AFTER_BUSY, is_busy};
pub use query::{limit, parameters, wrong_cursor};
pub use serve::{start, start_with};
pub use services::Services;
