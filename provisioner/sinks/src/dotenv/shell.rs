//! What a shell that sources the file makes of a line: whether it comes to the line's end where other readers do, and
//! goes on reading behind it.

use std::iter::Peekable;

/// Why a line is not safe to source, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: &'static str,
    pub(super) fix: &'static str,
}

const QUOTE: Trouble = Trouble {
    reason: "a shell reads on in the lines below, as a quote is not closed",
    fix: "put the whole value in quotes of the other kind",
};
const SYNTAX: Trouble = Trouble {
    reason: "a shell reads one of `|`, `&`, `;`, `<`, `>`, `(` and `)` as syntax of its own and may stop there",
    fix: "put the whole value in quotes",
};
const EXPANSION: Trouble = Trouble {
    reason: "a shell expands what stands behind a `$` or a backtick and may stop there",
    fix: "put the whole value in single quotes",
};
pub(super) const BACKSLASH: Trouble = Trouble {
    reason: "it ends with a backslash, by which a shell or systemd joins the next line to it",
    fix: "delete the backslash at the end of the line",
};
const COMMAND: Trouble = Trouble {
    reason: "a shell runs words of it as a command that can end or change what it reads",
    fix: "put the whole value in quotes, or make the line a comment",
};
const NOT_A_NAME: Trouble = Trouble {
    reason: "a shell stops where a word behind `export` or the like is no name",
    fix: "put the whole value in quotes, without blanks around the `=`",
};

/// Commands and words of the language after which a shell may not read the lines below, or not as assignments.
const COMMANDS: &str = "! { } [[ . alias bind break builtin case cd command continue coproc do done elif else enable esac \
    eval exec exit fc fi for function getopts hash if in let local logout mapfile popd printf pushd read readarray \
    readonly return select shift shopt source suspend then time times trap unalias until wait while";

/// Variables that a shell sets itself, or that change how it reads.
const OWN_VARIABLES: &str = "BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND \
    BASH_LINENO BASH_REMATCH BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS \
    EUID FUNCNAME GROUPS HISTCMD IFS LINENO OPTIND PIPESTATUS PPID RANDOM SECONDS SHELLOPTS SRANDOM UID _";

/// Whether `name` is a variable that no file can set for every shell.
pub(super) fn is_own(name: &str) -> bool {
    OWN_VARIABLES.split_ascii_whitespace().any(|own| own == name)
}

/// Whether `text` can be a variable's name.
pub(super) fn is_variable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// Whether the line ends what a shell exports by itself: `set +a`.
pub(super) fn ends_export(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    matches!(words.as_slice(), ["set", "+a"] | ["set", "+o", "allexport"])
}

/// What would keep a shell from reading the line and then the one below.
pub(super) fn trouble(line: impl Iterator<Item = char>) -> Option<Trouble> {
    Lexer { rest: line.peekable(), command: Vec::new(), word: None }.run().err()
}

/// A word with its quotes removed, up to a `=` behind what may be a name: no value is copied.
#[derive(Default)]
struct Word {
    text: String,
    is_assignment: bool,
    /// Something in it is quoted, escaped or expanded.
    altered: bool,
}

struct Lexer<I: Iterator<Item = char>> {
    rest: Peekable<I>,
    command: Vec<Word>,
    word: Option<Word>,
}

impl<I: Iterator<Item = char>> Lexer<I> {
    fn run(mut self) -> Result<(), Trouble> {
        while let Some(character) = self.rest.next() {
            match character {
                ' ' | '\t' => self.finish_word(),
                '\n' if self.rest.peek().is_none() => {}
                // A value of several lines, to other readers.
                '\n' => return Err(QUOTE),
                '#' if self.word.is_none() => self.skip_comment()?,
                '\'' => self.single()?,
                '"' => self.double()?,
                '`' => self.substitution('`')?,
                '$' => self.dollar(true)?,
                '\\' => match self.rest.next() {
                    None | Some('\n') => return Err(BACKSLASH),
                    Some(escaped) => self.push_altered(escaped),
                },
                ';' | '&' => self.separator()?,
                '|' | '<' | '>' | '(' | ')' => return Err(SYNTAX),
                plain => self.push(plain),
            }
        }
        self.finish_command()
    }

    fn push(&mut self, character: char) {
        let word = self.word.get_or_insert_default();
        word.is_assignment |= character == '=' && !word.altered;
        word.push(character);
    }

    fn push_altered(&mut self, character: char) {
        let word = self.word.get_or_insert_default();
        word.altered = true;
        word.push(character);
    }

    fn finish_word(&mut self) {
        self.command.extend(self.word.take());
    }

    fn skip_comment(&mut self) -> Result<(), Trouble> {
        self.rest.by_ref().find(|character| *character == '\n');
        if self.rest.peek().is_some() { Err(QUOTE) } else { Ok(()) }
    }

    fn single(&mut self) -> Result<(), Trouble> {
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(inner) => self.push_altered(inner),
                None => return Err(QUOTE),
            }
        }
    }

    fn double(&mut self) -> Result<(), Trouble> {
        self.word.get_or_insert_default().altered = true;
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('`') => self.substitution('`')?,
                Some('$') => self.dollar(false)?,
                Some('\\') => drop(self.rest.next()),
                Some(inner) => self.push_altered(inner),
                None => return Err(QUOTE),
            }
        }
    }

    /// What stands behind a `$`.
    fn dollar(&mut self, outside_quotes: bool) -> Result<(), Trouble> {
        self.push_altered('$');
        match self.rest.peek() {
            Some('{') => {
                self.rest.next();
                self.parameter()
            }
            Some('(') => {
                self.rest.next();
                self.substitution(')')
            }
            // Bash knows escapes in it, other shells take it as a plain quote.
            Some('\'' | '"') if outside_quotes => Err(EXPANSION),
            _ => Ok(()),
        }
    }

    /// `${NAME}`, or with a default or an alternative in plain characters.
    fn parameter(&mut self) -> Result<(), Trouble> {
        let inner = self.inner('}')?;
        let rest = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let name = &inner[..inner.len() - rest.len()];
        let operator = rest.strip_prefix(':').unwrap_or(rest);
        if is_variable(name) && (rest.is_empty() || operator.starts_with(['-', '+', '='])) {
            Ok(())
        } else {
            Err(EXPANSION)
        }
    }

    /// A command in plain characters, up to `end`.
    fn substitution(&mut self, end: char) -> Result<(), Trouble> {
        self.push_altered('$');
        self.inner(end).map(drop)
    }

    fn inner(&mut self, end: char) -> Result<String, Trouble> {
        let mut inner = String::new();
        loop {
            match self.rest.next() {
                Some(character) if character == end => return Ok(inner),
                Some(plain) if plain.is_ascii_alphanumeric() || "_ ./:@%+,=-".contains(plain) => inner.push(plain),
                _ => return Err(EXPANSION),
            }
        }
    }

    /// `;` or `&`: another command follows.
    fn separator(&mut self) -> Result<(), Trouble> {
        let empty = self.command.is_empty() && self.word.is_none();
        if empty || matches!(self.rest.peek(), Some(';' | '&' | '|')) {
            return Err(SYNTAX);
        }
        self.finish_command()
    }

    fn finish_command(&mut self) -> Result<(), Trouble> {
        self.finish_word();
        let words = std::mem::take(&mut self.command);
        let mut words = words.iter().skip_while(|word| word.is_assignment && is_assigned(&word.text));
        match words.next() {
            Some(command) => check_command(&command.text, words),
            None => Ok(()),
        }
    }
}

impl Word {
    fn push(&mut self, character: char) {
        if !self.is_assignment {
            self.text.push(character);
        }
    }
}

/// Whether a shell assigns what stands before the `=`: `NAME`, `NAME+` or `NAME[0]`.
fn is_assigned(target: &str) -> bool {
    let target = target.trim_end_matches('+');
    is_variable(target.split('[').next().unwrap_or(target))
}

fn check_command<'a>(command: &str, mut words: impl Iterator<Item = &'a Word>) -> Result<(), Trouble> {
    let (known, trouble) = match command {
        "export" | "unset" => (words.all(|word| is_variable(&word.text)), NOT_A_NAME),
        "declare" | "typeset" => {
            let is_known = |text: &str| !text.starts_with(['-', '+']) || text == "-x";
            (words.all(|word| is_known(&word.text)), COMMAND)
        }
        "set" => {
            let options: Vec<&str> = words.map(|word| &*word.text).collect();
            (matches!(options.as_slice(), ["-a" | "+a"] | ["-o" | "+o", "allexport"]), COMMAND)
        }
        _ => (!command.starts_with('$') && !COMMANDS.split_ascii_whitespace().any(|known| known == command), COMMAND),
    };
    if known { Ok(()) } else { Err(trouble) }
}
