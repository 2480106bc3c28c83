//! Creates tokens on an embedded file as fast as it can: `contend FILE USER COUNT NAME`. Tests run several at once.
//!
//! Prints how many were made; refusals because of the quota are expected, everything else ends it with an error.

use std::path::Path;
use std::sync::Arc;

use latchkey::clock::SystemClock;
use latchkey::entropy::SystemEntropy;
use latchkey::service::{Caller, CreateError, Service};
use tests::world::new_token;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "its result")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, user, count, name] = arguments.as_slice() else { return Err("contend FILE USER COUNT NAME".into()) };
    let table = provisioner::embedded::open(Path::new(file))?;
    let service = Service::open(table, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    let caller = Caller::operator("contend");
    let mut made = 0;
    for number in 0..count.parse()? {
        match service.create(&caller, new_token(user, &format!("{name}-{number}"))).await {
            Ok(_) => made += 1,
            Err(CreateError::LimitReached { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("{made}");
    Ok(())
}
