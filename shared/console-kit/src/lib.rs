//! What functions share that answer pages of the console: who has signed in, forms, the frame with its links, and
//! what a person is told where something does not go on.

mod form;
mod frame;
mod refusal;
mod request;
mod session;

pub use form::Form;
pub use frame::{Place, page, page_that_leads, url};
pub use refusal::{Refusal, guard};
pub use request::{WINDOWS, body_of, chosen};
pub use session::{credential, forget, keep, read};
