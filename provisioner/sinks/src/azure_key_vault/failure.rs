//! What the vault's refusals mean for a sink. Its messages are not shown: they name who asked, and what for; the codes
//! are. <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>

use super::bundle::Failed;
use crate::SinkError;
use crate::transport::Incoming;

/// The codes of a refusal: the outer one and the innermost that says more.
#[derive(Debug, Default)]
pub(super) struct Codes {
    pub(super) outer: String,
    pub(super) inner: String,
    /// Whether a policy of the organisation refused, not the vault's own rights: no code tells them apart.
    by_azure_policy: bool,
}

/// The codes of an answer; empty where there are none.
pub(super) fn codes(answer: &Incoming) -> Codes {
    let failed: Failed = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(reason) = failed.error else { return Codes::default() };
    let message = reason.message.unwrap_or_default().to_ascii_lowercase();
    let mut inner = String::new();
    let mut next = reason.innererror;
    while let Some(found) = next {
        inner = plain(found.code.as_deref().unwrap_or_default());
        next = found.innererror;
    }
    let outer = plain(reason.code.as_deref().unwrap_or_default());
    let by_azure_policy = names_azure_policy(&message, [&outer, &inner]);
    Codes { outer, inner, by_azure_policy }
}

/// Whether an answer says by its code that nothing was changed.
pub(super) fn rejects(answer: &Incoming) -> bool {
    let outer = codes(answer).outer;
    matches!(
        (answer.status, outer.as_str()),
        (400, "BadParameter") | (401, "Unauthorized") | (403, "Forbidden") | (404, "VaultNotFound" | "NotFound")
    )
}

/// Whether a refusal says that it is one of Azure Policy. The vault's own access policies are called policies too.
fn names_azure_policy(message: &str, codes: [&String; 2]) -> bool {
    let by_code = codes.iter().any(|code| code.contains("AzurePolicy") || code.contains("DisallowedByPolicy"));
    let plainly = ["azure policy", "disallowed by", "policy assignment", "policyassignment", "policy definition"];
    let by_words = plainly.iter().any(|words| message.contains(words));
    let by_the_vault = codes.iter().any(|code| *code == "ForbiddenByPolicy" || *code == "ForbiddenByRbac");
    let compliant = message.contains("complian") || message.contains("comply");
    by_code || by_words || (!by_the_vault && compliant && message.contains("policy"))
}

const ROLE_HINT: &str = "grant it the role `Key Vault Secrets Officer` on the vault: `az role assignment create --role \
                         \"Key Vault Secrets Officer\" --assignee CLIENT_ID --scope VAULT_ID`; wait some minutes";
const POLICY_HINT: &str =
    "; where an Azure Policy demands an expiry or a content type, set `expires` or `content_type` in the sink";

fn plain(code: &str) -> String {
    code.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').take(64).collect()
}

/// What was asked of a vault, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The vault's name.
    pub(super) vault: &'a str,
    /// How it is signed in.
    pub(super) signed_in: &'a str,
    /// What for: `read`, `list`.
    pub(super) action: &'static str,
    /// The secret's name; empty for all.
    pub(super) name: &'a str,
}

impl Asked<'_> {
    /// Why it was refused.
    pub(super) fn failed(&self, answer: &Incoming) -> SinkError {
        let codes = codes(answer);
        let Self { vault, action, .. } = self;
        let what = self.what();
        match (answer.status, codes.inner.as_str()) {
            (401, _) => SinkError::Login {
                reason: format!("the vault `{vault}` does not accept {}", self.signed_in),
                hint: "sign in to the tenant that the vault belongs to, and check the clock".to_owned(),
            },
            (403, _) if codes.by_azure_policy => SinkError::Denied {
                reason: format!("an Azure Policy does not allow to {action} {what} (`{}`)", first(&codes)),
                hint: "set what the policy demands in the sink: `expires = \"90d\"`, or a `content_type`; or have the vault \
                       exempted from it"
                    .to_owned(),
            },
            (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => SinkError::Denied {
                reason: format!("the firewall of the vault `{vault}` blocks this machine (`{}`)", codes.inner),
                hint: "allow this address under the vault's Networking, or run this inside its network".to_owned(),
            },
            (403, "ForbiddenByPolicy") => SinkError::Denied {
                reason: format!("{} is not allowed to {action} {what} by the vault's access policy", self.signed_in),
                hint: format!(
                    "grant it the secret permissions Get, List, Set, Delete and Recover: `az keyvault set-policy --name \
                     {vault} --secret-permissions get list set delete recover --spn CLIENT_ID`"
                ),
            },
            (403, _) => SinkError::Denied {
                reason: format!("{} is not allowed to {action} {what} (`{}`)", self.signed_in, first(&codes)),
                hint: format!("{ROLE_HINT}{}", if self.may_be_policy(&codes) { POLICY_HINT } else { "" }),
            },
            (429 | 500.., _) => SinkError::Unreachable {
                reason: format!("the vault `{vault}` answered with {} when asked to {action} {what}", answer.status),
            },
            _ => SinkError::Refused {
                reason: format!(
                    "the vault `{vault}` refused to {action} {what}: `{}` ({})",
                    first(&codes),
                    answer.status
                ),
                hint: "inspect it with `az keyvault secret show`".to_owned(),
            },
        }
    }

    /// Whether the refusal may be that of a policy, as its code says nothing of rights.
    fn may_be_policy(&self, codes: &Codes) -> bool {
        self.action == "set" && codes.inner != "ForbiddenByRbac"
    }

    fn what(&self) -> String {
        if self.name.is_empty() {
            format!("the secrets of the vault `{}`", self.vault)
        } else {
            format!("`{}`", self.name)
        }
    }
}

fn first(codes: &Codes) -> &str {
    [&codes.inner, &codes.outer].into_iter().find(|code| !code.is_empty()).map_or("no code", String::as_str)
}
