//! Rows of routes, as the files of the functions declare them.

/// Declares routes for verified callers, a row each:
///
/// ```text
/// showToken: GET "/v1/users/{user}/tokens/{name}" => Api::show_token {
///     summary: "Shows an active token",
///     needs: SEES,
///     problems: [404],
/// }
/// ```
///
/// Path, parameters, body and replies are the types of the handler. `needs` is the permission that a caller needs, see
/// [`super::needs`]. `problems` are the statuses that it may refuse with
/// besides those that every route has.
macro_rules! routes {
    ($($operation:ident: $method:ident $path:literal => $handler:path {
        summary: $summary:literal,
        needs: $needs:expr,
        problems: $problems:expr,
    })+) => {
        /// The routes of this file. In a static: handlers in a constant are compiled again wherever it is named, in other
        /// packages too.
        pub(in crate::api) static ROUTES: &[$crate::api::routes::Route] = &[$($crate::api::routes::Route {
            method: stringify!($method),
            path: $path,
            operation: stringify!($operation),
            handler: $crate::api::routes::Handler::Verified(|api, request| {
                Box::pin(async move {
                    let answered = $handler(api, &request.routed()?).await?;
                    $crate::api::replies::IntoResponse::into_response(answered)
                })
            }),
        }),+];

        /// Adds them to the document.
        pub(in crate::api) fn describe(document: &mut $crate::api::document::Document) {
            let mut rows = ROUTES.iter();
            $(if let Some(row) = rows.next() {
                document.add(row, ($summary, $needs), &$problems, $handler);
            })+
        }
    };
}
pub(super) use routes;
