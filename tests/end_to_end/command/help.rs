//! Help pages: every command has one, and each has an example that the command line takes.

use tests::provision::World;

/// The names behind a page's `Commands:`, but for `help` itself.
fn commands(page: &str) -> Vec<String> {
    let list = page.split("\nCommands:\n").nth(1).unwrap_or_default();
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        // A line that goes on is further in.
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    names.collect()
}

/// All commands below `path`, each with its page.
fn pages(world: &World, path: &str) -> Vec<(String, String)> {
    let page = world.run(&format!("{path} --help")).exits(0).stdout;
    let below = commands(&page);
    let mut found = vec![(path.to_owned(), page)];
    for name in below {
        found.extend(pages(world, format!("{path} {name}").trim()));
    }
    found
}

#[test]
fn every_command_has_a_page_that_shows_how_it_is_used() {
    let world = World::with("");
    let pages = pages(&world, "");
    let told: Vec<String> = pages.iter().map(|(path, page)| format!("$ provision {path} --help\n{page}")).collect();
    insta::assert_snapshot!(told.join("\n"));
    let without: Vec<&str> = pages
        .iter()
        .filter(|(_, page)| commands(page).is_empty() && !page.contains("\nExample"))
        .map(|(path, _)| path.as_str())
        .collect();
    assert!(without.is_empty(), "no example: {without:?}");
}
