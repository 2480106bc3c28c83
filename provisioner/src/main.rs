//! The command `provision`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LATCHKEY_LOG").unwrap_or_default();
    // What the SDK logs at trace level includes what services answer; no setting of ours lets it through.
    let ours = tracing_subscriber::filter::filter_fn(|metadata| {
        let target = metadata.target();
        target.starts_with("latchkey") || target.starts_with("provisioner") || *metadata.level() <= tracing::Level::INFO
    });
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    {
        use tracing_subscriber::Layer;
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::util::SubscriberInitExt;
        tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(ours)).init();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        return ExitCode::FAILURE;
    };
    // Secrets must not end in a core file, nor be read by another process of the same user.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let code = runtime.block_on(provisioner::commands::run(std::env::args_os()));
    // A read of stdin that nobody ends must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}
