//! The functions of the service, one concern each, and the files that hold their routes.

use std::fmt;

use serde_json::Value;

use super::document::Document;
use super::routes::Route;
use super::{
    create, dashboard, delete, history, introspect, list, manifests, me, openapi, publication, roles, settings,
    versions,
};

/// A function of the service: a name, and routes with their handlers. A binary that names one holds no other's handlers.
#[derive(Clone, Copy)]
pub struct Function {
    name: &'static str,
    routes: &'static [&'static &'static [Route]],
}

macro_rules! functions {
    ($($(#[doc = $about:literal])+ $constant:ident = $name:literal [$($file:ident),*];)+) => {
        impl Function {
            $($(#[doc = $about])+
            pub const $constant: Self = Self { name: $name, routes: &[$(&$file::ROUTES),*] };)+

            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$constant),+];

            /// All routes in one, for a server.
            pub(super) const SERVER: Self = Self { name: "server", routes: &[$($(&$file::ROUTES,)*)+] };
        }

        /// The `OpenAPI` document, made from the rows of all routes. It is committed and served as a file; a test holds
        /// the file to what this makes.
        pub fn document() -> Value {
            let mut document = Document::new();
            $(
                document.function($name, concat!($($about),+));
                $($file::describe(&mut document);)*
            )+
            document.finish()
        }
    };
}

functions! {
    /// Creates tokens.
    CREATE = "create" [create];
    /// Lists tokens, usage and events.
    LIST = "list" [list, history, me, openapi];
    /// Revokes tokens.
    DELETE = "delete" [delete];
    /// Edits tokens and their roles, and manages roles, users and settings.
    ROLES = "roles" [roles, settings];
    /// Stages, announces, promotes and retires versions.
    VERSIONS = "versions" [versions];
    /// What a declarative run needs: the tokens, grant, lease and publication of its manifest.
    MANIFESTS = "manifests" [manifests, publication];
    /// Introspects tokens for trusted callers.
    INTROSPECT = "introspect" [introspect];
    /// Serves the page, which shows what the other functions answer.
    DASHBOARD = "dashboard" [dashboard];
    /// An authorizer for its users' own APIs; it has no route.
    AUTHORIZE = "authorize" [];
    /// The scheduled job: rotates what is due of published manifests. It has no route, and its binary is the tool's.
    ROTATE = "rotate" [];
}

impl Function {
    /// Its name, which its binary has too.
    pub fn as_str(self) -> &'static str {
        self.name
    }

    /// Its routes.
    pub fn routes(self) -> impl Iterator<Item = &'static Route> {
        self.routes.iter().copied().copied().flatten()
    }
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Function({self})")
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_committed_document_is_the_one_that_the_types_make() {
        let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("LATCHKEY_OPENAPI").is_some_and(|wish| wish == "write") {
            #[expect(clippy::disallowed_methods, reason = "no secret is in it")]
            std::fs::write(path, &made).unwrap();
        }
        let held = std::fs::read_to_string(path).unwrap();
        assert!(held == made, "`functions/openapi.json` is out of date: run this test with LATCHKEY_OPENAPI=write");
    }

    #[test]
    fn handlers_read_the_names_that_stand_in_their_paths() {
        let document = document();
        for route in Function::SERVER.routes() {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            let empty = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&empty).iter();
            let read: Vec<&str> = parameters
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let words = route.path.split('/');
            let named: Vec<&str> = words.filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(read, named, "{route}");
        }
    }

    #[test]
    fn no_two_routes_share_a_name_or_answer_one_request() {
        let routes: Vec<&Route> = Function::SERVER.routes().collect();
        let names: BTreeSet<&str> = routes.iter().map(|route| route.operation).collect();
        assert_eq!(names.len(), routes.len());
        for (index, one) in routes.iter().enumerate() {
            for other in &routes[index + 1..] {
                let words = |route: &Route| route.path.split('/').map(str::to_owned).collect::<Vec<_>>();
                let (one_words, other_words) = (words(one), words(other));
                let meet =
                    |(one, other): (&String, &String)| one == other || one.starts_with('{') || other.starts_with('{');
                let both = one_words.len() == other_words.len() && one_words.iter().zip(&other_words).all(meet);
                assert!(!both || one.method != other.method, "{one} and {other}");
            }
        }
    }

    #[test]
    fn every_route_belongs_to_one_function() {
        let of_functions: Vec<String> =
            Function::ALL.iter().flat_map(|one| one.routes()).map(Route::to_string).collect();
        let of_the_server: Vec<String> = Function::SERVER.routes().map(Route::to_string).collect();
        assert_eq!(of_functions, of_the_server);
        assert_eq!(Function::AUTHORIZE.routes().count() + Function::ROTATE.routes().count(), 0);
        let document = document();
        let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
        let with_routes =
            Function::ALL.iter().filter(|one| **one != Function::DASHBOARD && one.routes().next().is_some());
        assert_eq!(tags, with_routes.map(|one| one.as_str()).collect::<Vec<_>>());
    }
}
