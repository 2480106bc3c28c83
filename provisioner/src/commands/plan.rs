//! `provision plan`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::arguments::{Plan, PlanFlags};
use super::exit::{Code, Fault};
use super::open::{self, IfMissing};
use super::{choose, forget, promise, saved, when};
use crate::manifest::{Manifest, ServiceAddress};
use crate::observe::{Observation, observe, observe_records};
use crate::output::{Format, LOOKING, Printer, Spinner, actions, calendar, markdown, plan_json};
use crate::plan::{self, Labels, Options, Rotate};
use crate::service::Client;
use latchkey_sinks::ManifestSinks;
use latchkey_sinks::machine;
use latchkey_sinks::plural::count;

/// The farthest that a calendar reaches.
const CALENDAR_MAX: latchkey::lifetime::Seconds = latchkey::lifetime::Seconds::days(3653);

/// Shows what `apply` would change.
pub(super) async fn run(printer: Printer, service: Option<&str>, arguments: &Plan) -> Result<Code, Fault> {
    if arguments.no_sinks && arguments.out.is_some() {
        return Err(Fault::new(
            "a plan by the records alone cannot be saved: `apply` must not run what looked at no place",
        )
        .hint("pass `--out` without `--no-sinks`, where the places can be reached"));
    }
    let manifest = open::load(printer, arguments.file.as_deref(), &arguments.allow)?;
    if arguments.offline {
        return offline(printer, &manifest);
    }
    if arguments.no_sinks {
        return by_records(printer, service, arguments, &manifest).await;
    }
    let options = options(&manifest, &arguments.may, Rotate::Due)?;
    let mut scene = Scene::observed(printer, service, (&manifest, &arguments.may.select.only), options).await?;
    if let Some(at) = &arguments.at {
        let from = scene.observation.at;
        let until = until(at, from)?;
        let dates = plan::calendar::calendar(&manifest, &scene.observation, &scene.options, until);
        calendar::print(printer, &manifest, (from, until), &dates)?;
        return Ok(Code::Done);
    }
    let plan = scene.show(printer, &arguments.may.forget_machine).await?;
    if let Some(path) = &arguments.out {
        let made = saved::Made { plan: &plan, manifest: &manifest, labels: &scene.labels };
        saved::write(path, made, (&scene.address, scene.observation.at), &scene.options)?;
        let path = path.display();
        printer.talk(&format!("Wrote the plan to `{path}`; `provision apply --plan {path}` applies it"));
    }
    Ok(match code(&plan) {
        Code::Done if arguments.detailed_exitcode && plan.has_changes() => Code::Changes,
        code => code,
    })
}

/// Shows what a run with these options would change: what `--dry-run` is for.
pub(super) async fn preview(
    printer: Printer,
    service: Option<&str>,
    manifest: &Manifest,
    options: Options,
    (only, machines): (&[String], &[String]),
) -> Result<Code, Fault> {
    let mut scene = Scene::observed(printer, service, (manifest, only), options).await?;
    Ok(code(&scene.show(printer, machines).await?))
}

/// What a plan rests on.
struct Scene<'m> {
    manifest: &'m Manifest,
    address: ServiceAddress,
    client: Client,
    sinks: ManifestSinks,
    labels: Labels,
    observation: Observation,
    options: Options,
    /// The other files that `--forget` names.
    named: BTreeSet<String>,
}

impl<'m> Scene<'m> {
    async fn observed(
        printer: Printer,
        service: Option<&str>,
        (manifest, only): (&'m Manifest, &[String]),
        mut options: Options,
    ) -> Result<Self, Fault> {
        let address = open::address(service, Some(manifest))?;
        let client = open::client(&address, IfMissing::UseEmpty).await?;
        let machine = machine::name();
        let sinks =
            ManifestSinks::new(&manifest.sinks, &machine, &manifest.bounds).forgetting(&options.forget_branches);
        let labels = Labels::new(&manifest.folder, &machine);
        let observing = observe(client.protocol(), &sinks, manifest);
        let mut observation = Spinner::during(printer, LOOKING, observing).await?;
        let named = forget::other_files(&mut observation, &options.forget);
        let faults = plan::faults(manifest, &observation);
        if !faults.is_empty() {
            return Err(open::refuse(printer, manifest, &faults));
        }
        options.only = choose::tokens(manifest, &choose::undeclared(&observation), only)?;
        Ok(Self { manifest, address, client, sinks, labels, observation, options, named })
    }

    /// Plans and prints it.
    async fn show(&mut self, printer: Printer, machines: &[String]) -> Result<plan::Plan, Fault> {
        tell_forgotten(printer, &self.sinks, &self.options);
        forget::machines(printer, &self.observation, &mut self.options, machines)?;
        promise::can_be_created(&self.address)?;
        let mut plan = plan::plan(self.manifest, &self.observation, &self.options);
        promise::keep(&mut plan, (&self.client, &self.sinks), (self.manifest, &self.observation)).await?;
        warn(printer, self.manifest, &plan);
        forget::check(&plan, &self.observation, (&self.options, &self.named), &self.labels)?;
        show(printer, self.manifest, &plan, &self.labels)?;
        Ok(plan)
    }
}

/// Plans by what the service knows, for a caller who may reach no place: a pull request's job.
async fn by_records(
    printer: Printer,
    service: Option<&str>,
    arguments: &Plan,
    manifest: &Manifest,
) -> Result<Code, Fault> {
    let mut options = options(manifest, &arguments.may, Rotate::Due)?;
    let address = open::address(service, Some(manifest))?;
    let client = open::client(&address, IfMissing::UseEmpty).await?;
    let machine = machine::name();
    let observation = observe_records(client.protocol(), manifest, &machine).await?;
    let faults = plan::faults(manifest, &observation);
    if !faults.is_empty() {
        return Err(open::refuse(printer, manifest, &faults));
    }
    options.only = choose::tokens(manifest, &choose::undeclared(&observation), &arguments.may.select.only)?;
    let mut plan = plan::plan(manifest, &observation, &options);
    promise::keep_grant(&mut plan, &client, (manifest, &observation)).await?;
    show(printer, manifest, &plan, &Labels::new(&manifest.folder, &machine))?;
    Ok(code(&plan))
}

/// Prints a plan.
fn show(printer: Printer, manifest: &Manifest, plan: &plan::Plan, labels: &Labels) -> Result<(), Fault> {
    let page = markdown::plan(plan, labels);
    match printer.format {
        Format::Json => printer.json(&plan_json(plan, labels))?,
        Format::Markdown => printer.block(&page)?,
        Format::Text => {
            actions::grouped(printer, &format!("Plan of {}", plan.manifest), &printer.lines_of(plan, labels))?;
            printer.result(&plan::summary(plan))?;
            if plan.has_changes() && plan.looked_at {
                printer.result(&format!("Plan id: {}", plan.id()))?;
            }
        }
    }
    actions::summarise(&page);
    actions::plan(manifest, plan, labels);
    Ok(())
}

/// How a plan ends, changes aside.
fn code(plan: &plan::Plan) -> Code {
    if plan.is_blocked() || !plan.guards.is_empty() { Code::Error } else { Code::Done }
}

/// The date until which everything that falls due is listed.
fn until(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let fault = |reason: String| Fault::new(format!("invalid date `{text}`")).hint(reason);
    let until = when::until(text, now)?;
    if until <= now {
        return Err(fault("it is in the past; pass a later date".to_owned()));
    }
    if until > CALENDAR_MAX.after(now) {
        return Err(fault("pass a date within the next ten years".to_owned()));
    }
    Ok(until)
}

fn offline(printer: Printer, manifest: &Manifest) -> Result<Code, Fault> {
    if printer.format == Format::Json {
        let tokens: Vec<_> = manifest
            .tokens
            .iter()
            .map(|token| serde_json::json!({ "user": token.user, "name": token.name, "push": pushes(token) }))
            .collect();
        printer.json(&serde_json::json!({ "manifest": manifest.name, "offline": true, "tokens": tokens }))?;
        return Ok(Code::Done);
    }
    let tokens = count(manifest.tokens.len(), "token");
    let sum = format!("`{}` declares {tokens}; nothing was contacted", manifest.name);
    if printer.format == Format::Markdown {
        let row = |token: &crate::manifest::TokenDeclaration| {
            vec![markdown::code(&format!("{}/{}", token.user, token.name)), markdown::text(&pushes(token).join(", "))]
        };
        let rows: Vec<_> = manifest.tokens.iter().map(row).collect();
        let page = markdown::page(&[markdown::text(&sum), markdown::table(&["Token", "Places"], &rows)]);
        printer.markdown(&page)?;
        return Ok(Code::Done);
    }
    for token in &manifest.tokens {
        printer.result(&format!("token `{}/{}`: {}", token.user, token.name, pushes(token).join(", ")))?;
    }
    printer.result(&sum)?;
    Ok(Code::Done)
}

fn pushes(token: &crate::manifest::TokenDeclaration) -> Vec<String> {
    token.pushes.iter().map(|push| format!("{} {}", push.sink, push.name)).collect()
}

/// What the flags allow. The selected tokens come later: some are known to the service only.
pub(super) fn options(manifest: &Manifest, may: &PlanFlags, rotate: Rotate) -> Result<Options, Fault> {
    Ok(Options {
        rotate,
        prune: may.prune,
        allow_deletes: may.allow_deletes,
        prune_used: may.prune_used,
        prune_used_within: Some(may.prune_used_within),
        allow_rotations: may.allow_rotations,
        adopt: choose::adopted(manifest, &may.adopt)?,
        force_retire: may.force_retire,
        pass: plan::Pass::First,
        forget: may.forget.iter().cloned().collect(),
        forget_branches: may.forget_branch.iter().cloned().collect(),
        only: BTreeSet::new(),
        sinks: choose::sinks(manifest, &may.select.sink)?,
    })
}

/// Shows which branches are not waited for, although their consumers may read an older version.
pub(super) fn tell_forgotten(printer: Printer, sinks: &ManifestSinks, options: &Options) {
    let unmet = sinks.not_awaited();
    let quoted = |names: Vec<&String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let met: Vec<&String> = options.forget_branches.iter().filter(|name| !unmet.contains(name)).collect();
    if !met.is_empty() {
        printer.warning(&format!(
            "not waiting for deployments of {}, as requested; they keep an older version, which may be retired",
            quoted(met)
        ));
    }
    if !unmet.is_empty() {
        printer.warning(&format!("nothing waits for a deployment of {}", quoted(unmet.iter().collect())));
    }
}

/// What a user should know of the places before secrets go there. What blocks a token is told with it.
pub(super) fn warn(printer: Printer, manifest: &Manifest, plan: &plan::Plan) {
    let blocked = plan.tokens.iter().flat_map(|token| &token.blocked);
    let reasons: Vec<&str> = blocked.filter_map(plan::Blocked::reason).collect();
    let is_told = |warning: &String| warning.split_once(": ").is_some_and(|(reason, _)| reasons.contains(&reason));
    let mut told = BTreeSet::new();
    for sink in manifest.sinks.values() {
        let facts = sink.settings.facts();
        // One file may be several sinks'.
        let files = facts.file().is_none_or(|file| told.insert(file.path));
        let of_files = if files { facts.warnings() } else { Vec::new() };
        let of_logins = facts.logins().into_iter().flat_map(|(_, login)| login.warnings());
        for warning in of_files.into_iter().chain(of_logins).filter(|warning| !is_told(warning)) {
            printer.warning(&warning);
        }
    }
}
