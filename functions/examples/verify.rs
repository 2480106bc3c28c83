//! Reads a secret from stdin and shows whose it is and what it allows: `cargo run --example verify < secret.txt`.
//!
//! `LATCHKEY_TABLE` names the table, `latchkey` by default. The credentials are those of the environment.

#![expect(clippy::print_stdout, reason = "this is its result")]

use latchkey::{Latchkey, Verdict};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = std::env::var("LATCHKEY_TABLE").unwrap_or_else(|_| "latchkey".to_owned());
    let latchkey = Latchkey::on_table(&table).await?;
    let secret = std::io::read_to_string(std::io::stdin())?;
    // A service passes the address of its peer; a token that is bound to networks is refused without one.
    match latchkey.check(secret.trim(), None).await? {
        Verdict::Valid(valid) => {
            println!("`{}` of {} expires {}", valid.name, valid.user, valid.expires);
            valid.permissions.iter().for_each(|permission| println!("  {permission}"));
            println!("may read documents: {}", valid.allows("documents:read")?);
        }
        Verdict::Invalid(reason) => println!("not valid: {reason}"),
    }
    latchkey.close().await?;
    Ok(())
}
