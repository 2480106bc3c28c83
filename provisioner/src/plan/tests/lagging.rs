//! What consumers may still read although an entry shows something newer, and what writes cause.

use super::*;

fn two() -> Token {
    rotated(rotated(token("api", api_id(), &[place("a", "API"), place("b", "API")]), 0), HOUR)
}

fn scene(text: &str, now: i64) -> Scene {
    Scene::new(text, &[&two()], now).look("a", Holds::Api(2)).look("b", Holds::Api(2))
}

#[test]
fn no_older_version_ends_while_consumers_of_a_place_lag_behind() {
    assert_eq!(scene(TWO, 2 * DAY).words(), "retire 1");
    let lagging = scene(TWO, 2 * DAY).lagging("b");
    assert_eq!(lagging.words(), ". 1 perhaps read in b");
    let plan = lagging.plan();
    let remarks = remarks(&plan.tokens[0], &Labels::ids());
    assert!(remarks[0].text.contains("version 1 is not retired, as consumers of"), "{remarks:?}");
    assert!(remarks[0].text.ends_with("may still read it: no deployment is newer"), "{remarks:?}");
    // Everything else goes on, and expiry is told in time.
    assert_eq!(scene(TWO, 31 * DAY).lagging("b").words(), "new due, . 1 perhaps read in b");
    assert_eq!(
        scene(TWO, 2 * DAY).look("a", Holds::Nothing).readable(2, "b").lagging("b").words(),
        "mend 2 b->a, . 1 perhaps read in b"
    );
    let late = scene(TWO, 89 * DAY).lagging("b");
    assert!(late.with(|options| options.force_retire = true).words().contains("1 perhaps read in b"));
}

#[test]
fn an_entry_stays_while_its_consumers_lag_behind_it() {
    let leaving = || scene(ONE, 2 * DAY).with(|options| options.prune = true);
    assert_eq!(leaving().words(), "update places, retire 1, remove b");
    assert_eq!(leaving().lagging("b").words(), "update places, . 1 perhaps read in b, . stays b");
    let forgotten = leaving().lagging("b").with(|options| {
        options.forget.insert(place("b", "API").id().to_string());
    });
    assert_eq!(forgotten.words(), "update places, forget b, . 1 perhaps read in b, . 2 left in b");
}

#[test]
fn a_token_does_not_end_while_consumers_lag_behind() {
    let mut token = rotated(token("api", api_id(), &[place("a", "API")]), 0);
    token.leaving = Some(at(HOUR));
    let web = "[tokens.web]\npush = [{ sink = \"b\", name = \"WEB\" }]\n";
    let scene = |now| {
        let scene = Scene::new(web, &[&token], now).look("a", Holds::Api(1)).lagging("a");
        scene.with(|options| (options.prune, options.allow_deletes) = (true, Some(9))).words()
    };
    let words = scene(3 * DAY);
    assert!(words.contains(". stays a"), "{words}");
    assert!(!words.contains("delete") && !words.contains("remove"), "{words}");
}

#[test]
fn a_plan_says_once_for_each_unit_what_its_writes_cause() {
    let heroku = |name: &str| Place::new("heroku", &[("app", "acme-worker"), ("name", name)], true);
    let vercel =
        Place::new("vercel", &[("team", "acme"), ("project", "web"), ("name", "API"), ("target", "production")], false);
    let pipeline = Place::new("heroku", &[("pipeline", "acme"), ("stage", "review"), ("name", "API")], true);
    let mut plan = Scene::new(ONE, &[], 0).look("a", Holds::Nothing).plan();
    plan.tokens[0].places = vec![heroku("ONE"), heroku("TWO"), vercel, pipeline];
    let lines: Vec<String> = lines(&plan, &Labels::ids()).iter().map(Line::plain).collect();
    let told: Vec<&str> = lines[lines.len() - 3..].iter().map(String::as_str).collect();
    let wanted = [
        "    . one release of Heroku app `acme-worker`, which restarts it; older releases keep their values",
        "    . takes effect with the next app created in Heroku pipeline `acme` (review)",
        "    . takes effect with the next deployment of Vercel project `acme/web` (production)",
    ];
    assert_eq!(told, wanted);
    // Nothing is caused where nothing is written.
    plan.tokens[0].changes.clear();
    assert!(super::lines(&plan, &Labels::ids()).iter().all(|line| !line.text.contains("release")));
}
