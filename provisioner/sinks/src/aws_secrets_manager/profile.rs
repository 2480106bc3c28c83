//! Profiles of AWS's own tools: whether one that is named is there. The SDK takes one that is not for one without
//! credentials.

use aws_config::profile::{ProfileSet, load};
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::future::BoxFuture;

use crate::SinkError;
use crate::reading::{listed, nearest};

/// The most profiles that are named.
const SHOWN_MAX: usize = 10;

#[expect(clippy::default_trait_access, reason = "the type's name is in a crate that nothing else here needs")]
async fn profiles() -> Option<ProfileSet> {
    load(&Fs::real(), &Env::real(), &Default::default(), None).await.ok()
}

/// That the profile `name`, which `named_by` names, is in neither file; `None` where it is, or the files cannot be read.
pub fn missing_profile<'a>(name: &'a str, named_by: &'a str) -> BoxFuture<'a, Option<SinkError>> {
    Box::pin(async move {
        let profiles = profiles().await?;
        if profiles.get_profile(name).is_some() {
            return None;
        }
        Some(SinkError::Login {
            reason: format!("there is no AWS profile `{name}`, which {named_by} names"),
            hint: hint(name, &profiles),
        })
    })
}

/// The same for the profile that the environment names.
pub async fn missing_profile_of_environment() -> Option<SinkError> {
    let name = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty())?;
    missing_profile(&name, "`AWS_PROFILE`").await
}

fn hint(name: &str, profiles: &ProfileSet) -> String {
    let mut known: Vec<&str> = profiles.profiles().collect();
    known.sort_unstable();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match known.len() {
        0 => "create it with `aws configure`, or check `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`".to_owned(),
        1..=SHOWN_MAX => format!("the profiles on this machine: {}", listed(&known)),
        more => format!("the profiles on this machine: {} and {} more", listed(&known[..SHOWN_MAX]), more - SHOWN_MAX),
    }
}
