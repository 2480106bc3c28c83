//! However a file is made, checking it takes a bounded amount of work.

/// Faults that each repeat much would add up to any amount of work, whatever is shown of them.
#[test]
fn what_many_faults_say_together_is_bounded() {
    let numbered = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let users = "[users.ci]\nkind = \"service\"\nroles = []\n[defaults]\nuser = \"ci\"\n";
    let sinks = numbered(300, &|at| format!("[sinks.{}-{at}]\ntype = \"dotenv\"\npath = \"e{at}\"\n", "s".repeat(50)));
    let tokens = numbered(2_000, &|at| {
        format!("[tokens.t{at}]\npush = [{{ sink = \"{}-{at}x\", name = \"A{at}\" }}]\n", "b".repeat(50))
    });
    let long = "n".repeat(200_000);
    let fields = numbered(2_000, &|at| format!("field{at} = 1\n"));
    for (what, text) in [
        ("unknown sinks", format!("manifest = \"acme\"\n{users}{sinks}{tokens}")),
        (
            "a long name",
            format!("manifest = \"acme\"\n{users}[sinks.{long}]\ntype = \"dotenv\"\npath = \".env\"\n{tokens}"),
        ),
        ("fields of a long name", format!("manifest = \"acme\"\n[tokens.{long}]\n{fields}")),
    ] {
        let faults = super::read(&text).unwrap_err().faults;
        assert!(faults.len() >= 2_000, "{what}: {}", faults.len());
        let said: usize =
            faults.iter().map(|fault| fault.message.len() + fault.hint.as_ref().map_or(0, String::len)).sum();
        assert!(said < 1 << 20, "{what}: {said}");
    }
}

/// A line as long as the file, with all the faults on it, is not shown a hundred times.
#[test]
fn a_long_line_is_named_and_not_shown() {
    let list = "\"-\", \"?\", \"!\", ".repeat(20_000);
    let text = format!("manifest = \"acme\"\n[roles.r]\npermissions = [{list}]\n");
    let said = super::read(&text).unwrap_err().render(false);
    assert!(said.len() < 64 * 1024 && said.contains("tokens.toml:3:16"), "{} {}", said.len(), &said[..2_000]);
}
