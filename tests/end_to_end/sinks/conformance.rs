//! What every type of sink promises, see [`latchkey_sinks::conformance`]: one test a promise and type.

mod dotenv {
    latchkey_sinks::conformance!(Some(tests::sinks::DotenvBench::default()));
}

mod secrets_manager {
    latchkey_sinks::conformance!(Some(tests::sinks::SecretsManagerBench::plain().await));
}

mod secrets_manager_with_json_keys {
    latchkey_sinks::conformance!(Some(tests::sinks::SecretsManagerBench::shared().await));
}

mod vercel {
    latchkey_sinks::conformance!(Some(tests::sinks::vercel::VercelBench::start().await));
}

mod heroku {
    latchkey_sinks::conformance!(Some(tests::sinks::heroku::HerokuBench::start().await));
}

mod azure_key_vault {
    latchkey_sinks::conformance!(Some(tests::sinks::KeyVaultBench::start().await));
}

mod keyring {
    latchkey_sinks::conformance!(tests::sinks::KeyringBench::start());
}
