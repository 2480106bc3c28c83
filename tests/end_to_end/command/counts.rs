//! How many there are of something is told in good English, whatever the number.

use tests::provision::World;

use super::START;

/// A manifest of tokens with so many pushes each.
fn manifest(tokens: usize, pushes: usize) -> String {
    use std::fmt::Write as _;
    let mut text = START.to_owned();
    for token in 0..tokens {
        let push: Vec<String> =
            (0..pushes).map(|push| format!("{{ sink = \"dev\", name = \"T{token}_{push}\" }}")).collect();
        write!(text, "\n[tokens.build-{token}]\nuser = \"ci\"\npush = [{}]\n", push.join(", ")).unwrap();
    }
    text
}

#[test]
fn a_tokens_places_are_counted_when_it_was_made() {
    for (pushes, counted) in [(1, "1 place"), (2, "2 places"), (11, "11 places"), (20, "20 places")] {
        let world = World::with(&manifest(1, pushes));
        let ran = world.run("apply").exits(0);
        let sentence = format!("done token `ci/build-0`: created and pushed to {counted}");
        assert!(ran.stderr.lines().any(|line| line == sentence), "{}", ran.stderr);
    }
}

#[test]
fn tokens_and_pushes_of_a_manifest_are_counted() {
    for (tokens, counted) in [
        (0, "0 tokens, 0 pushes"),
        (1, "1 token, 1 push"),
        (2, "2 tokens, 2 pushes"),
        (11, "11 tokens, 11 pushes"),
        (21, "21 tokens, 21 pushes"),
        (101, "101 tokens, 101 pushes"),
    ] {
        let world = World::with(&manifest(tokens, 1));
        let ran = world.run("check").exits(0);
        assert_eq!(ran.stdout, format!("`tokens.toml` is valid: {counted}\n"));
    }
}
