//! A web service that checks its callers with the library `latchkey`, against the table itself: one consistent read a
//! request, and no HTTP call. It needs `dynamodb:GetItem`, `Query` and `UpdateItem` on the table.
//!
//! `LATCHKEY_TABLE` names the table, `LISTEN` the address, by default 127.0.0.1:8080.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use latchkey::{Latchkey, Valid, Verdict};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let latchkey = Latchkey::on_table(&std::env::var("LATCHKEY_TABLE")?).await?;
    let app = Router::new()
        .route("/documents", get(documents))
        .layer(from_fn_with_state(latchkey.clone(), check))
        .into_make_service_with_connect_info::<SocketAddr>();
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let mut terminated = signal(SignalKind::terminate())?;
    axum::serve(tokio::net::TcpListener::bind(address).await?, app)
        .with_graceful_shutdown(async move { _ = terminated.recv().await })
        .await?;
    // Uses are counted in memory: this writes the last ones.
    latchkey.close().await?;
    Ok(())
}

/// Lets a request pass with a valid secret only, and shows the handler whose it is.
async fn check(
    State(latchkey): State<Latchkey>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(secret) = presented.and_then(|value| value.strip_prefix("Bearer ")) else { return unauthorized() };
    // The address of the peer, never a forwarded header: allowed networks are compared with it. Behind a proxy of your
    // own, take what that proxy alone can set.
    match latchkey.check(secret, Some(peer.ip())).await {
        Ok(Verdict::Valid(valid)) => {
            request.extensions_mut().insert(Arc::new(*valid));
            next.run(request).await
        }
        // Why is for the log, never for whoever presented it.
        Ok(Verdict::Invalid(_)) => unauthorized(),
        // Trouble with the table: nobody gets in, and nobody is told that a good secret is bad.
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response(),
    }
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

async fn documents(Extension(caller): Extension<Arc<Valid>>) -> Result<Json<Value>, (StatusCode, String)> {
    match caller.allows("documents:read") {
        Ok(true) => Ok(Json(json!({ "documents": ["invoice-1", "invoice-2"], "for": caller.user.as_str() }))),
        Ok(false) => Err((StatusCode::FORBIDDEN, "this token lacks documents:read".to_owned())),
        // A slip in this file, not a token that lacks it.
        Err(slip) => Err((StatusCode::INTERNAL_SERVER_ERROR, slip.to_string())),
    }
}
