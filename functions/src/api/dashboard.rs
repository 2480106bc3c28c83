//! The function `dashboard`: the page. It reads nothing of the table, and its routes are not in the document.

use super::document::Document;
use super::http::Response;
use super::problem::Problem;
use super::routes::{Handler, Route};
use crate::page;

macro_rules! files {
    ($($operation:literal $path:literal),+) => {
        pub(super) static ROUTES: &[Route] = &[$(Route {
            method: "GET",
            path: $path,
            operation: $operation,
            handler: Handler::Open(|_, request, _| Box::pin(async { serve(page::answer(request)) })),
        }),+];
    };
}

files! { "page" "/", "pageScript" "/page/page.js", "pageStyle" "/page/page.css", "pageMark" "/page/mark.svg" }

/// Programs have no use for it.
pub(super) fn describe(_: &mut Document) {}

fn serve(file: Option<Response>) -> Result<Response, Problem> {
    file.ok_or_else(Problem::not_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_has_a_route() {
        assert_eq!(ROUTES.iter().map(|route| route.path).collect::<Vec<_>>(), page::paths().collect::<Vec<_>>());
    }
}
