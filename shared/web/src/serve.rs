//! Serving a router to API Gateway.

use aws_config::SdkConfig;
use axum::{
    Router,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
};
use lambda_http::{
    Adapter, Error, LambdaEvent, Service as _,
    aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse},
    lambda_runtime::{run, service_fn},
    request::LambdaRequest,
};
use serde::Serialize;
use serde_json::json;

use crate::{Kit, Site, base_path::strip_base_path, router};

/// The most bytes of a path and a query. API Gateway lets 10,240 pass, which are three times as many
/// where each has to be encoded. The HTTP library takes 65,534 and panics beyond.
const MAX_TARGET_BYTES: usize = 48 << 10;

/// What is answered.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<A> {
    Of(A),
    TooLong(Box<ApiGatewayProxyResponse>),
}

/// Runs a function: sets up the log, reads the settings by `from_env`, and answers requests for as long as the
/// function is warm.
pub async fn start<A: Site>(
    from_env: impl AsyncFnOnce(&SdkConfig) -> anyhow::Result<A>,
    routes: Router<Kit<A>>,
) -> Result<(), Error> {
    start_with(from_env, routes, |_| Router::new()).await
}

/// The same for a function that answers requests of another kind, too, by the router that `more` makes of its settings.
pub async fn start_with<A: Site>(
    from_env: impl AsyncFnOnce(&SdkConfig) -> anyhow::Result<A>,
    routes: Router<Kit<A>>,
    more: impl FnOnce(&A) -> Router,
) -> Result<(), Error> {
    cloud::start_log();
    let aws = cloud::aws_config().await;
    let app = from_env(&aws).await?;
    let more = more(&app);
    serve(router(app, routes).merge(more)).await
}

async fn serve(router: Router) -> Result<(), Error> {
    let mut adapter = Adapter::from(router);
    run(service_fn(move |mut event: LambdaEvent<LambdaRequest>| {
        let mut fits = true;
        if let LambdaRequest::ApiGatewayV1(request) = &mut event.payload {
            strip_base_path(request);
            fits = target_bytes(request) <= MAX_TARGET_BYTES;
        }
        let answer = fits.then(|| adapter.call(event));
        async {
            match answer {
                Some(answer) => Ok::<_, Error>(Answer::Of(answer.await?)),
                None => Ok(Answer::TooLong(Box::new(too_long()))),
            }
        }
    }))
    .await
}

/// Returns how long the URL of a request becomes, host aside.
fn target_bytes(request: &ApiGatewayProxyRequest) -> usize {
    let path = request.path.as_deref().unwrap_or_default().len() * 3;
    path + request.multi_value_query_string_parameters.to_query_string().len()
}

/// Says so in the keys that clients of every API read, as the gateway's own answers do.
fn too_long() -> ApiGatewayProxyResponse {
    const DETAIL: &str =
        "The URL is too long. Shorten the query, or send a body if the call takes one.";
    let status = StatusCode::URI_TOO_LONG;
    let body = json!({
        "type": "urn:decant:problem:url_too_long", "title": status.canonical_reason(),
        "status": status.as_u16(), "code": "url_too_long", "detail": DETAIL, "message": DETAIL,
        "success": false, "response": [{ "success": false, "error": { "message": DETAIL } }],
    });
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = i64::from(status.as_u16());
    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.body = Some(body.to_string().into());
    response
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, panic};

    use lambda_http::{Request, aws_lambda_events::query_map::QueryMap};

    use super::*;

    fn request(brackets: usize) -> ApiGatewayProxyRequest {
        let mut request = ApiGatewayProxyRequest::default();
        request.path = Some("/rest/ua/v15/exports".to_owned());
        let query = HashMap::from([("f".to_owned(), vec!["(".repeat(brackets)])]);
        request.multi_value_query_string_parameters = QueryMap::from(query);
        request
    }

    #[test]
    fn what_the_http_library_cannot_take_is_refused_before() {
        let fits = |brackets: usize| target_bytes(&request(brackets)) <= MAX_TARGET_BYTES;
        let taken = |brackets: usize| {
            panic::catch_unwind(|| {
                _ = Request::from(LambdaRequest::ApiGatewayV1(request(brackets)));
            })
            .is_ok()
        };
        assert!(fits(10_240) && taken(10_240), "what API Gateway lets pass is answered");
        assert!(!fits(30_000) && !taken(30_000));
        let most = (MAX_TARGET_BYTES - target_bytes(&request(0))) / "%28".len();
        assert!(fits(most) && !fits(most + 1) && taken(most), "{most}");
        assert_eq!(too_long().status_code, 414);
    }
}
