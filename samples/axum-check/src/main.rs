//! A web service that checks its callers with the library `latchkey`, against the table itself: one consistent read a
//! request, and no HTTP call. It needs `dynamodb:GetItem`, `Query` and `UpdateItem` on the table.
//!
//! `LATCHKEY_TABLE` names the table, `LISTEN` the address, 127.0.0.1:8080 unless said.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::{Service, Valid, Verdict};
use latchkey::table::Table;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        // The table tries again by itself.
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    let name = std::env::var("LATCHKEY_TABLE")?;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&aws), &name);
    let service = Arc::new(Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?);

    // Uses are counted in memory; one task writes them.
    let counting = service.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            // What was not written stays counted for the next time.
            let _ = counting.flush_usage().await;
        }
    });

    let app = Router::new()
        .route("/documents", get(documents))
        .layer(from_fn_with_state(service, check))
        .into_make_service_with_connect_info::<SocketAddr>();
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?;
    Ok(())
}

/// Lets a request pass with a valid secret only, and tells the handler whose it is.
async fn check(
    State(service): State<Arc<Service>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(secret) = presented.and_then(|value| value.strip_prefix("Bearer ")) else { return unauthorized() };
    // The address of the peer, never a forwarded header: allowed networks are held against it. Behind a proxy of your
    // own, take what that proxy alone can set.
    let from: Option<IpAddr> = Some(peer.ip());
    match service.verify(secret, from).await {
        Ok(Verdict::Valid(valid)) => {
            // A use that could not be noted is no reason to turn a good caller away.
            let _ = service.note_use(&valid, from).await;
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

async fn documents(Extension(caller): Extension<Arc<Valid>>) -> Response {
    let allowed = "documents:read".parse().is_ok_and(|wanted| caller.permissions.allow(&wanted));
    if !allowed {
        return (StatusCode::FORBIDDEN, "this token lacks documents:read").into_response();
    }
    Json(json!({ "documents": ["invoice-1", "invoice-2"], "for": caller.user.as_str() })).into_response()
}
