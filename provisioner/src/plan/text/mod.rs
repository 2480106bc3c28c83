//! A plan as lines for people. `plan` and `apply` print the same ones.

mod blocked;
mod changes;
mod folding;
mod notes;
mod summary;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use latchkey::name::ManifestName;
use latchkey::place::{Place, PlaceId};
use latchkey::role::Permissions;

use super::causes;
use super::{Blocked, Change, Field, Note, Plan, TokenPlan, Tracked, UserField};
use folding::Folds;

pub use changes::replaced;
pub use folding::named;
pub use notes::{kept_as, plan_notes};
pub use summary::summary;

/// What kind of line, which colour may underline but never carry alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something is created.
    Create,
    Change,
    Delete,
    /// A detail of the line above.
    Detail,
    /// Something to know.
    Note,
    /// The same where somebody has to act.
    Warning,
    /// Something that cannot be done.
    Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub tone: Tone,
    pub text: String,
}

impl Line {
    /// The line without colour.
    pub fn plain(&self) -> String {
        let mark = match self.tone {
            Tone::Create => "  + ",
            Tone::Change => "  ~ ",
            Tone::Delete => "  - ",
            Tone::Detail => "      ",
            Tone::Note | Tone::Warning => "    . ",
            Tone::Problem => "  ! ",
        };
        format!("{mark}{}", self.text)
    }

    /// Whether nothing is done because of it.
    pub fn is_note(&self) -> bool {
        matches!(self.tone, Tone::Note | Tone::Warning)
    }

    /// What to do about the line above.
    fn help(hint: &str) -> Self {
        Self { tone: Tone::Detail, text: format!("help: {hint}") }
    }
}

/// How places are named.
#[derive(Debug)]
pub struct Labels {
    folder: Option<PathBuf>,
    machine: String,
}

impl Labels {
    /// For people: paths relative to the manifest's folder.
    pub fn new(folder: &Path, machine: &str) -> Self {
        Self { folder: Some(folder.to_owned()), machine: machine.to_owned() }
    }

    /// By id, the same wherever the manifest is.
    pub(super) fn ids() -> Self {
        Self { folder: None, machine: String::new() }
    }

    /// A place's name.
    pub fn of(&self, place: &Place) -> String {
        match &self.folder {
            Some(folder) => format!("`{}`", latchkey_sinks::label(place, folder, &self.machine)),
            None => place.id().to_string(),
        }
    }

    /// How the places in a token's plan are named.
    fn names(&self, token: &TokenPlan) -> Names {
        let found = token.findings.iter().map(|(place, _)| place);
        let merged = token.changes.iter().filter_map(|change| match change {
            Change::Merge { from, .. } => Some(from),
            _ => None,
        });
        Names(token.places.iter().chain(found).chain(merged).map(|place| (place.id(), self.of(place))).collect())
    }
}

/// The names of a token's places.
struct Names(HashMap<PlaceId, String>);

impl Names {
    fn of(&self, id: &PlaceId) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_string())
    }
}

/// All lines of a plan, tokens without changes left out unless there is something to know.
pub fn lines(plan: &Plan, labels: &Labels) -> Vec<Line> {
    folded_by(&Folds::none(), plan, labels)
}

/// The same for people: what many tokens have in common is one line.
pub fn folded(plan: &Plan, labels: &Labels) -> Vec<Line> {
    folded_by(&Folds::of(plan, labels), plan, labels)
}

fn folded_by(folds: &Folds, plan: &Plan, labels: &Labels) -> Vec<Line> {
    let mut lines: Vec<Line> = plan_notes(plan).into_iter().map(|text| Line { tone: Tone::Note, text }).collect();
    for role in &plan.roles {
        let (tone, verb) = if role.new { (Tone::Create, "create") } else { (Tone::Change, "change") };
        lines.push(Line { tone, text: format!("role `{}`: {verb}", role.name) });
        let mut detail = |text: String| lines.push(Line { tone: Tone::Detail, text });
        if role.new && !role.permissions.is_empty() {
            detail(format!("allows: {}", allowed(&role.permissions)));
        } else if !role.gains.is_empty() || !role.losses.is_empty() {
            let signed =
                |sign: char, list: &[String]| list.iter().map(|one| format!("{sign} {one}")).collect::<Vec<_>>();
            detail(format!(
                "permissions: {}",
                [signed('+', &role.gains), signed('-', &role.losses)].concat().join(", ")
            ));
        }
        if let Some(from) = &role.moving.from {
            detail(moved_here(from));
        }
        if let Some((from, to)) = &role.moved_to {
            detail(format!("moved_to: {from} -> {to}"));
        }
        if role.taken_over {
            detail("created by hand, managed by this manifest from now on".to_owned());
        }
    }
    for user in &plan.users {
        let (tone, verb) = if user.new { (Tone::Create, "create") } else { (Tone::Change, "change") };
        lines.push(Line { tone, text: format!("user `{}`: {verb}", user.name) });
        fields(&mut lines, &user.fields, user.new);
        if let Some(from) = &user.change.moving.from {
            lines.push(Line { tone: Tone::Detail, text: moved_here(from) });
        }
        if user.taken_over {
            let text = "created by hand, managed by this manifest from now on".to_owned();
            lines.push(Line { tone: Tone::Detail, text });
        }
    }
    for (index, token) in plan.tokens.iter().enumerate() {
        changes::lines(&mut lines, token, &subject(token), &labels.names(token));
        let (own, common) = folds.remarks(plan, index, labels);
        for remark in &own {
            remark_lines(&mut lines, remark);
        }
        lines.extend(common);
    }
    lines.extend(causes::causes(plan).into_iter().map(|text| Line { tone: Tone::Note, text }));
    for guard in &plan.guards {
        lines.push(Line { tone: Tone::Problem, text: guard.to_string() });
        lines.push(Line::help(&guard.hint()));
    }
    lines
}

fn allowed(permissions: &Permissions) -> String {
    let texts: Vec<String> = permissions.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

/// What is shown of a role or user that is taken from another manifest.
fn moved_here(from: &ManifestName) -> String {
    format!("moves here from the manifest `{from}`")
}

fn fields(lines: &mut Vec<Line>, fields: &[Field<UserField>], new: bool) {
    for Field { name, from, to } in fields {
        let name = name.as_str();
        let text = if new { format!("{name}: {to}") } else { format!("{name}: {from} -> {to}") };
        lines.push(Line { tone: Tone::Detail, text });
    }
}

/// The lines of one problem or note.
fn remark_lines(lines: &mut Vec<Line>, remark: &Remark) {
    let tone = if remark.is_urgent { Tone::Warning } else { remark.tone };
    lines.push(Line { tone, text: remark.sentence() });
    // A note is one line: what is only worth knowing is not part of the plan's id.
    lines.extend(remark.help.as_deref().filter(|_| remark.tone == Tone::Problem).map(Line::help));
}

/// What there is to say about a token besides its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// [`Tone::Problem`] or [`Tone::Note`].
    pub tone: Tone,
    /// The token, as lines name it.
    pub subject: String,
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Somebody has to act; see [`Note::is_urgent`].
    pub is_urgent: bool,
}

impl Remark {
    /// The whole of it but the advice on a problem, which has a line of its own.
    pub fn sentence(&self) -> String {
        let Self { tone, subject, text, .. } = self;
        match (tone, &self.help) {
            (Tone::Problem, _) => format!("{subject}: blocked: {text}"),
            _ if self.is_urgent => format!("{subject}: warning: {text}"),
            (_, Some(help)) => format!("{subject}: {text}; {help}"),
            (_, None) => format!("{subject}: {text}"),
        }
    }
}

/// The problems and notes of one token.
pub fn remarks(token: &TokenPlan, labels: &Labels) -> Vec<Remark> {
    let names = labels.names(token);
    let problems = token.blocked.iter().map(|blocked| {
        let (text, help) = blocked::text(token, blocked, &names);
        Remark { tone: Tone::Problem, subject: subject(token), text, help, is_urgent: false }
    });
    let notes = token.notes.iter().map(|note| remark_of(token, note, &names));
    problems.chain(notes).collect()
}

fn remark_of(token: &TokenPlan, note: &Note, names: &Names) -> Remark {
    let help = match note {
        Note::OutOfSight { place, hint, tracked, passes, .. } => {
            Some(blocked::way_out(place, hint.as_deref(), tracked, *passes))
        }
        Note::LoginMayNot { hint, .. } => hint.clone(),
        Note::GrantLacks { cure, .. } => Some(cure.clone()),
        _ => None,
    };
    let text = notes::text(token, note, names);
    Remark { tone: Tone::Note, subject: subject(token), text, help, is_urgent: note.is_urgent() }
}

/// What is unreachable or expires: what a check of the whole set-up reports of a token, each with a name for what it is
/// about.
pub fn concerns(token: &TokenPlan, labels: &Labels) -> Vec<Concern> {
    let names = labels.names(token);
    let blocked = token.blocked.iter().filter_map(|blocked| match blocked {
        Blocked::Unreachable {
            place,
            reason,
            hint,
            tracked: tracked @ (Tracked::Recorded | Tracked::Elsewhere { .. }),
            passes,
            ..
        } => {
            let fix = blocked::way_out(place, hint.as_deref(), tracked, *passes);
            let text = format!("{reason}; {} is blocked by it", subject(token));
            Some(Concern { what: format!("place {}", names.of(place)), text, fix: Some(fix), elsewhere: false })
        }
        _ => None,
    });
    let notes = token.notes.iter().filter_map(|note| match note {
        Note::OutOfSight { place, reason, hint, tracked, passes, .. } => Some(Concern {
            what: format!("place {}", names.of(place)),
            text: format!("{reason}; the next rotation of {} waits for it", subject(token)),
            fix: Some(blocked::way_out(place, hint.as_deref(), tracked, *passes)),
            elsewhere: matches!(tracked, Tracked::Elsewhere { .. }),
        }),
        note if note.is_urgent() => {
            let text = notes::text(token, note, &names);
            Some(Concern { what: subject(token), text, fix: None, elsewhere: false })
        }
        _ => None,
    });
    blocked.chain(notes).collect()
}

/// One thing that stops a token sooner or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// The place or the token.
    pub what: String,
    pub text: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// It is on another machine, where it may be as it should be.
    pub elsewhere: bool,
}

fn subject(token: &TokenPlan) -> String {
    format!("token `{}/{}`", token.user, token.name)
}
