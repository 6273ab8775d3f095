//! The base path of a custom domain, which API Gateway leaves in the path of a request.

use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequest;

/// Takes off the path of a request what stands before its route: the base path of a custom domain, and the stage where
/// the domain's mapping names none. Without either the path stays as it is.
pub(crate) fn strip_base_path(request: &mut ApiGatewayProxyRequest) {
    let (Some(path), Some(resource)) = (&request.path, &request.resource) else { return };
    let values = |name: &str| request.path_parameters.get(name).map(String::as_str);
    if let Some(route) = route(path, resource, values) {
        request.path = Some(route.to_owned());
    }
}

/// Returns the end of `path` that matches `resource`, as `/v1/{proxy+}` with the `values` of its parameters; `None` if
/// none does.
///
/// Segments are counted from the end, since a base path may be called as a route is. Values come without escapes: where
/// one has a slash that was escaped in the path, there is no match.
fn route<'a>(
    path: &'a str,
    resource: &str,
    values: impl Fn(&str) -> Option<&'a str>,
) -> Option<&'a str> {
    let segments = |text: &'a str| text.split('/').filter(|segment| !segment.is_empty());
    let (mut count, mut fixed) = (0, Vec::new());
    for segment in resource.split('/').filter(|segment| !segment.is_empty()) {
        let parameter = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        match parameter.map(|name| name.strip_suffix('+')) {
            Some(Some(greedy)) => count += segments(values(greedy)?).count(),
            Some(None) => count += 1,
            None => {
                fixed.push((count, segment));
                count += 1;
            }
        }
    }
    let skipped = segments(path).count().checked_sub(count)?;
    let found = |(at, name): &(usize, &str)| segments(path).nth(skipped + at) == Some(name);
    if !fixed.iter().all(found) {
        return None;
    }
    let mut rest = path;
    for _ in 0..skipped {
        let begun = rest.trim_start_matches('/');
        rest = begun.find('/').map_or("/", |end| &begun[end..]);
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_before_a_route_is_taken_off() {
        for (path, resource, proxy, want) in [
            // The API's own URL has the stage in another place.
            ("/v1/tables", "/v1/{proxy+}", "tables", "/v1/tables"),
            ("/v1/exports/1/files/a", "/v1/{proxy+}", "exports/1/files/a", "/v1/exports/1/files/a"),
            ("/", "/", "", "/"),
            // A base path of one segment or of several, and a stage that the mapping does not name.
            ("/exports/v1/tables", "/v1/{proxy+}", "tables", "/v1/tables"),
            ("/a/b/v1/tables/", "/v1/{proxy+}", "tables/", "/v1/tables/"),
            ("/live/v1/tables", "/v1/{proxy+}", "tables", "/v1/tables"),
            ("/exports/live/api", "/api", "", "/api"),
            ("/exports", "/", "", "/"),
            ("/exports/", "/", "", "/"),
            // One that is called as a route is.
            ("/v1/v1/exports", "/v1/{proxy+}", "exports", "/v1/exports"),
            ("/v1/files/a", "/files/{name}", "", "/files/a"),
            ("/x/rest/ua/v15/exports", "/rest/ua/{proxy+}", "v15/exports", "/rest/ua/v15/exports"),
            ("/x/nothing/here", "/{proxy+}", "nothing/here", "/nothing/here"),
        ] {
            let values = |name: &str| (name == "proxy").then_some(proxy);
            assert_eq!(route(path, resource, values), Some(want), "{path} by {resource}");
        }
    }

    #[test]
    fn a_path_that_does_not_fit_its_route_stays_as_it_is() {
        let of = |path, resource| {
            let mut request = ApiGatewayProxyRequest::default();
            request.path = Some(path);
            request.resource = resource;
            request.path_parameters.insert("proxy".to_owned(), "a/b".to_owned());
            strip_base_path(&mut request);
            request.path.unwrap()
        };
        // A slash that was escaped is none in the path, and one in the parameter.
        for path in ["/v1/a%2Fb", "/v2/a/b", "/"] {
            assert_eq!(of(path.to_owned(), Some("/v1/{proxy+}".to_owned())), path);
        }
        assert_eq!(of("/x/v1/a/b".to_owned(), None), "/x/v1/a/b");
    }
}
