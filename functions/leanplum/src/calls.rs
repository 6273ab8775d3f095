//! The actions.

use std::time::Duration;

use axum::http::StatusCode;
use export::{Origin, sha256_hex};
use jiff::{SignedDuration, Timestamp};
use outbox::leanplum::{DIALECT, Element, Envelope, results};
use service::{Counted, Joined, Random};
use tokio::time::Instant;
use uuid::Builder;
use web::{Authorized, Credential, Edit, Public, Required, View};

use crate::{
    app::App,
    arguments::Arguments,
    error::ApiError,
    request::{Ask, app_number, zone},
    unoffered::not_offered,
};

/// The only version there is.
const API_VERSION: &str = "1.0.6";
/// Exports of a day of Los Angeles.
const MAX_EXPORTS_PER_DAY: u32 = 24;
/// How long a job can be asked for.
const JOB_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long it is remembered which slots of a day were taken.
const SLOT_LIFETIME: SignedDuration = SignedDuration::from_hours(3 * 24);
/// What is said of calls for which the time of a request does not suffice.
const NO_TIME: &str = "The calls before this one took all the time that a request has. Nothing was done: \
    send it again, with fewer calls at once.";

/// Answers a call of one action or of several.
pub(crate) async fn call(
    app: &Public<App>,
    arguments: &Arguments,
    base: &str,
) -> Result<Envelope, ApiError> {
    if arguments.get("action") != Some("multi") {
        return act(app, arguments, base, Some(app.wait)).await.map(Element::alone);
    }
    let calls = arguments.calls()?;
    let response = act_on_all(&calls, app.wait, |call, wait| act(app, call, base, wait));
    Ok(Envelope { response: response.await })
}

/// Does one call after the other. Each is given its share of the time, and `None` once that is used up.
async fn act_on_all<'a, A: Future<Output = Result<Element, ApiError>>>(
    calls: &'a [Arguments],
    time: Duration,
    act: impl Fn(&'a Arguments, Option<Duration>) -> A,
) -> Vec<Element> {
    let (begun, mut response) = (Instant::now(), Vec::new());
    for (call, still) in calls.iter().zip((1..=calls.len()).rev()) {
        let wait = share(time.saturating_sub(begun.elapsed()), still);
        response.push(act(call, wait).await.unwrap_or_else(ApiError::element));
    }
    response
}

/// Returns how long the next of `still` calls may wait of the time that is left; none if there is none.
fn share(left: Duration, still: usize) -> Option<Duration> {
    let share = left / u32::try_from(still).unwrap_or(u32::MAX);
    (!left.is_zero()).then_some(share)
}

/// Does an action. One that has to know whether there is any data waits no longer than `wait` for that, and is
/// refused if that is `None`.
async fn act(
    app: &Public<App>,
    arguments: &Arguments,
    base: &str,
    wait: Option<Duration>,
) -> Result<Element, ApiError> {
    match arguments.required("action")? {
        "exportData" => {
            let editor: Authorized<App, Edit> = caller(app, arguments).await?;
            export_data(&editor, arguments, base, wait).await
        }
        "getExportResults" => {
            let viewer: Authorized<App, View> = caller(app, arguments).await?;
            export_results(&viewer, arguments, base).await
        }
        action => Err(not_offered(action)),
    }
}

/// Finds out who calls: the key is a token, the app one of its workspaces.
async fn caller<P: Required>(
    app: &Public<App>,
    arguments: &Arguments,
) -> Result<Authorized<App, P>, ApiError> {
    let app_id = arguments.required("appId")?;
    let key = arguments.required("clientKey")?;
    if arguments.required("apiVersion")? != API_VERSION {
        return Err(ApiError::bad(format!("Unsupported API version. Use {API_VERSION}.")));
    }
    Ok(app.authorize(&Credential::token(key).in_workspace(Some(app_id))).await?)
}

/// `exportData`: makes an export of some days.
async fn export_data(
    editor: &Authorized<App, Edit>,
    arguments: &Arguments,
    base: &str,
    wait: Option<Duration>,
) -> Result<Element, ApiError> {
    let (services, workspace, now) = (&editor.services, &editor.workspace, editor.now);
    let ask = Ask::read(arguments, now)?;
    if let Some(error) =
        ask.callback.as_ref().and_then(|url| editor.callback_hosts.check(url).err())
    {
        return Err(ApiError::wrong("callbackUrl", &format!("It cannot be called: {error}.")));
    }
    if ask.is_too_old(now)? {
        return Err(ApiError::told("You cannot export data older than 60 days"));
    }
    let ask = ask.planned(&services.limits, now)?;
    let no_time = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, NO_TIME);
    let wait = wait.ok_or_else(no_time)?;
    // What is not counted in time may have rows; why it cannot be counted, the job will say.
    let counted = services.exports.count_rows(workspace, &ask.sessions(), wait, now).await?;
    match counted {
        Counted::Rows(rows) if rows.iter().all(|rows| *rows == 0) => {
            return Err(ApiError::new(StatusCode::NOT_FOUND, "No matching data found."));
        }
        Counted::Rows(_) | Counted::Later | Counted::Failed(_) => {}
    }
    let number = app_number(workspace);
    let random = &services.exports.random;
    let job = job_id(number, random)?;
    let secret = Builder::from_random_bytes(random.bytes()?).into_uuid().to_string();
    let origin = Origin {
        dialect: DIALECT.to_owned(),
        requested_by: editor.name.clone(),
        params: Ask::params(&job),
    };
    let request = ask.request(number, &secret);
    let mut export = services.exports.draft(workspace, request, now)?.with_origin(origin);
    if let Some(url) = ask.callback {
        export = export.with_callback(url, base.to_owned());
    }
    if let Some((target, opener)) = ask.copy {
        let credential = editor.seal.credential(&export, opener).await?;
        export = export.with_copy(target, credential);
    }
    let day = now.to_zoned(zone()?).date();
    let slots = format!("leanplum#{day}");
    let until = now + SLOT_LIFETIME;
    if !services.exports.take_slot(workspace, &slots, MAX_EXPORTS_PER_DAY, export.id, until).await?
    {
        return Err(ApiError::told("You can only export data 24 times per day"));
    }
    services.exports.table.put_link(&secret, &export, now + JOB_LIFETIME).await?;
    if let Joined::Kept(_) =
        services.exports.join(&export, &key_of(&job), |_| true, Some(&editor.actor)).await?
    {
        return Err(anyhow::anyhow!("make job {job}: there is one").into());
    }
    Ok(Element { success: true, job_id: Some(job), ..Element::default() })
}

/// `getExportResults`: where a job is, and what came of it.
async fn export_results(
    viewer: &Authorized<App, View>,
    arguments: &Arguments,
    base: &str,
) -> Result<Element, ApiError> {
    let job = arguments.required("jobId")?;
    let found = viewer.services.exports.table.newest(&viewer.workspace, &key_of(job)).await?;
    let export = found.filter(|export| is_kept(export.created_at, viewer.now));
    let origin = export.as_ref().and_then(|export| export.origin.as_ref());
    match (&export, origin) {
        (Some(export), Some(origin)) if origin.dialect == DIALECT => {
            Ok(results(export, origin, base))
        }
        _ => Err(ApiError::new(StatusCode::NOT_FOUND, "Export job not found.")),
    }
}

/// Tells whether a job can still be asked for.
fn is_kept(created_at: Timestamp, now: Timestamp) -> bool {
    now < created_at + JOB_LIFETIME
}

fn key_of(job: &str) -> String {
    sha256_hex(format!("leanplum/{job}").as_bytes())
}

/// Returns an id as clients know them.
fn job_id(app: u64, random: &Random) -> Result<String, ApiError> {
    Ok(format!("export_{app}_{}", u64::from_be_bytes(random.bytes()?) >> 1))
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, http::HeaderMap};

    use super::*;

    #[test]
    fn calls_share_the_time_that_is_left_and_none_begins_without_any() {
        let seconds = Duration::from_secs;
        assert_eq!(share(seconds(25), 50), Some(Duration::from_millis(500)));
        assert_eq!(share(seconds(10), 1), Some(seconds(10)));
        assert_eq!(share(Duration::ZERO, 3), None);
    }

    #[tokio::test]
    async fn calls_that_need_no_wait_are_answered_though_the_time_is_used_up() {
        let query = r#"data=[{"action":"a"},{"action":"b"},{"action":"c"}]"#;
        let calls = Arguments::read(query, &HeaderMap::new(), &Bytes::new()).await.unwrap();
        let calls = calls.calls().unwrap();
        let needs_no_wait = |call: &Arguments| call.get("action") == Some("b");
        let act = |call: &Arguments, wait: Option<Duration>| {
            let answered = wait.is_some() || needs_no_wait(call);
            let refused = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, NO_TIME);
            let element = Element { success: true, ..Element::default() };
            std::future::ready(if answered { Ok(element) } else { Err(refused()) })
        };
        let success = |response: Vec<Element>| -> Vec<bool> {
            response.into_iter().map(|element| element.success).collect()
        };
        let late = act_on_all(&calls, Duration::ZERO, act).await;
        assert_eq!(success(late), [false, true, false]);
        let in_time = act_on_all(&calls, Duration::from_mins(1), act).await;
        assert_eq!(success(in_time), [true; 3]);
    }

    #[test]
    fn a_job_can_be_asked_for_during_seven_days() {
        let made: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let end = "2026-03-08T10:00:00Z".parse().unwrap();
        assert!(is_kept(made, end - SignedDuration::from_nanos(1)));
        assert!(!is_kept(made, end));
    }
}
