//! Moving what a manifest declares to another one: the manifest that loses it agrees first, then the other takes it.
//! One rule for tokens, roles and users.

use crate::name::ManifestName;

/// What a manifest says of a token, role or user that moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moving {
    /// The manifest that it is taken from, which has to have agreed.
    pub from: Option<ManifestName>,
    /// The manifest that may take it from now on; `Some(None)` takes the consent back.
    pub to: Option<Option<ManifestName>>,
    /// Releases it: no manifest declares it any more.
    pub release: bool,
}

impl Moving {
    /// Takes something from a manifest.
    pub fn from(manifest: ManifestName) -> Self {
        Self { from: Some(manifest), ..Self::default() }
    }

    /// Agrees that a manifest takes something, or takes that back.
    pub fn to(manifest: Option<ManifestName>) -> Self {
        Self { to: Some(manifest), ..Self::default() }
    }

    /// Whether `manifest` takes what `owner` declares and has agreed to move to `moved_to`.
    pub fn takes(
        &self,
        (owner, moved_to): (Option<&ManifestName>, Option<&ManifestName>),
        manifest: &ManifestName,
    ) -> bool {
        self.from.is_some() && owner == self.from.as_ref() && moved_to == Some(manifest)
    }
}

/// Why something does not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// Another manifest declares it, and was not named as the one that it is taken from.
    #[error("it belongs to the manifest `{0}`")]
    OtherManifest(ManifestName),
    /// The manifest that declares it has not agreed.
    #[error("the manifest `{owner}` has not agreed to move it to `{to}`")]
    NotAgreed {
        /// Whose it is.
        owner: ManifestName,
        /// Who wants it.
        to: ManifestName,
    },
    /// No manifest declares it.
    #[error("only what a manifest declares can move to another one")]
    NotDeclared,
    /// Both are the same.
    #[error("it belongs to the manifest `{0}` already")]
    ToItself(ManifestName),
}

/// Whose something is, and which manifest may take it.
#[derive(Debug)]
pub struct Owner<'a> {
    /// The manifest that declares it.
    pub managed_by: &'a mut Option<ManifestName>,
    /// The manifest that may take it.
    pub moved_to: &'a mut Option<ManifestName>,
}

impl Owner<'_> {
    /// Declares it in a manifest, if one is named, and agrees to a move. The first manifest has it, and another takes it
    /// only from an owner that has agreed.
    ///
    /// # Errors
    /// When it is another's, or there is nothing to agree to.
    pub fn change(&mut self, manifest: Option<&ManifestName>, moving: &Moving) -> Result<(), MoveError> {
        if moving.release {
            (*self.managed_by, *self.moved_to) = (None, None);
        }
        if let Some(manifest) = manifest {
            self.declare(manifest, moving.from.as_ref())?;
        }
        moving.to.as_ref().map_or(Ok(()), |to| self.agree(to.as_ref()))
    }

    fn declare(&mut self, manifest: &ManifestName, from: Option<&ManifestName>) -> Result<(), MoveError> {
        if let Some(owner) = self.managed_by.as_ref().filter(|owner| *owner != manifest) {
            if from != Some(owner) {
                return Err(MoveError::OtherManifest(owner.clone()));
            }
            if self.moved_to.as_ref() != Some(manifest) {
                return Err(MoveError::NotAgreed { owner: owner.clone(), to: manifest.clone() });
            }
            *self.moved_to = None;
        }
        *self.managed_by = Some(manifest.clone());
        Ok(())
    }

    fn agree(&mut self, to: Option<&ManifestName>) -> Result<(), MoveError> {
        match (self.managed_by.as_ref(), to) {
            (None, Some(_)) => Err(MoveError::NotDeclared),
            (Some(owner), Some(to)) if owner == to => Err(MoveError::ToItself(owner.clone())),
            _ => {
                *self.moved_to = to.cloned();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ManifestName {
        text.parse().unwrap()
    }

    /// What becomes of something that `owner` has and gave to `to`.
    fn declared(owner: &str, to: &str, by: &str, from: &str) -> (Result<(), MoveError>, String) {
        let some = |text: &str| (!text.is_empty()).then(|| name(text));
        let (mut managed_by, mut moved_to) = (some(owner), some(to));
        let moving = Moving { from: some(from), ..Moving::default() };
        let mut owner = Owner { managed_by: &mut managed_by, moved_to: &mut moved_to };
        let result = owner.change(Some(&name(by)), &moving);
        let text = |name: &Option<ManifestName>| name.as_ref().map(ToString::to_string).unwrap_or_default();
        (result, format!("{}>{}", text(&managed_by), text(&moved_to)))
    }

    #[test]
    fn nothing_moves_unless_both_sides_name_each_other() {
        assert_eq!(declared("a", "b", "b", "a"), (Ok(()), "b>".to_owned()));
        let not_agreed = |owner: &str, to: &str| Err(MoveError::NotAgreed { owner: name(owner), to: name(to) });
        assert_eq!(declared("a", "", "b", "a"), (not_agreed("a", "b"), "a>".to_owned()));
        assert_eq!(declared("a", "c", "b", "a"), (not_agreed("a", "b"), "a>c".to_owned()));
        let others = |owner: &str| Err(MoveError::OtherManifest(name(owner)));
        assert_eq!(declared("a", "b", "b", ""), (others("a"), "a>b".to_owned()));
        assert_eq!(declared("a", "b", "b", "c"), (others("a"), "a>b".to_owned()));
        // Said again, and by whoever has it anyway.
        assert_eq!(declared("b", "", "b", "a"), (Ok(()), "b>".to_owned()));
        assert_eq!(declared("a", "b", "a", ""), (Ok(()), "a>b".to_owned()));
        assert_eq!(declared("", "", "b", "a"), (Ok(()), "b>".to_owned()));
    }

    #[test]
    fn only_an_owner_agrees_and_not_to_itself() {
        let agree = |owner: Option<&str>, to: Option<&str>| {
            let (mut managed_by, mut moved_to) = (owner.map(name), Some(name("before")));
            let mut owner = Owner { managed_by: &mut managed_by, moved_to: &mut moved_to };
            let agreed = owner.change(None, &Moving::to(to.map(name)));
            agreed.map(|()| moved_to.map(|to| to.to_string()))
        };
        assert_eq!(agree(Some("a"), Some("b")), Ok(Some("b".to_owned())));
        assert_eq!(agree(Some("a"), None), Ok(None));
        assert_eq!(agree(Some("a"), Some("a")), Err(MoveError::ToItself(name("a"))));
        assert_eq!(agree(None, Some("b")), Err(MoveError::NotDeclared));
    }
}
