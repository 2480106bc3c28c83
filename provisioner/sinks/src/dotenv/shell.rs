//! What a shell that sources the file makes of a line: whether it comes to the line's end where other readers do, and
//! goes on reading behind it.

use std::iter::Peekable;
use std::str::Chars;

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
const COMMANDS: &[&str] = &[
    "!",
    "{",
    "}",
    "[[",
    ".",
    "alias",
    "bind",
    "break",
    "builtin",
    "case",
    "cd",
    "command",
    "continue",
    "coproc",
    "do",
    "done",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "fc",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "if",
    "in",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "read",
    "readarray",
    "return",
    "select",
    "shift",
    "shopt",
    "source",
    "suspend",
    "then",
    "time",
    "times",
    "trap",
    "unalias",
    "until",
    "wait",
    "while",
];

/// Variables that a shell sets itself, or that change how it reads.
const OWN_VARIABLES: &[&str] = &[
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_ARGV0",
    "BASH_CMDS",
    "BASH_COMMAND",
    "BASH_LINENO",
    "BASH_REMATCH",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "OPTIND",
    "PIPESTATUS",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
    "_",
];

/// Whether `name` is a variable that no file can set for every shell.
pub(super) fn is_own(name: &str) -> bool {
    OWN_VARIABLES.contains(&name)
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

/// What would keep a shell from reading the line, all of whose text is `text`, and then the one below.
pub(super) fn trouble(text: &str) -> Option<Trouble> {
    Lexer { rest: text.chars().peekable(), command: Vec::new(), word: None }.run().err()
}

/// A word with its quotes removed.
#[derive(Default)]
struct Word {
    text: String,
    /// Where its first `=` stands, if nothing before it was quoted or expanded.
    equals: Option<usize>,
    altered: bool,
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    command: Vec<Word>,
    word: Option<Word>,
}

impl Lexer<'_> {
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
                    Some(escaped) => self.alter().text.push(escaped),
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
        if character == '=' && word.equals.is_none() && !word.altered {
            word.equals = Some(word.text.len());
        }
        word.text.push(character);
    }

    fn alter(&mut self) -> &mut Word {
        let word = self.word.get_or_insert_default();
        word.altered = true;
        word
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
                Some(inner) => self.alter().text.push(inner),
                None => return Err(QUOTE),
            }
        }
    }

    fn double(&mut self) -> Result<(), Trouble> {
        self.alter();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('`') => self.substitution('`')?,
                Some('$') => self.dollar(false)?,
                Some('\\') => drop(self.rest.next()),
                Some(inner) => self.alter().text.push(inner),
                None => return Err(QUOTE),
            }
        }
    }

    /// What stands behind a `$`.
    fn dollar(&mut self, outside_quotes: bool) -> Result<(), Trouble> {
        self.alter().text.push('$');
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
        self.alter().text.push('$');
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
        let mut words = words.iter().skip_while(|word| word.is_assignment());
        let Some(command) = words.next() else { return Ok(()) };
        let names = |word: &Word| is_variable(word.equals.map_or(&*word.text, |at| &word.text[..at]));
        match &*command.text {
            "export" | "readonly" | "unset" => {
                if words.all(names) {
                    Ok(())
                } else {
                    Err(NOT_A_NAME)
                }
            }
            "declare" | "typeset" => {
                let is_known =
                    |word: &Word| !word.text.starts_with(['-', '+']) || ["-x", "-r", "-rx"].contains(&&*word.text);
                if words.all(is_known) { Ok(()) } else { Err(COMMAND) }
            }
            "set" => {
                let options: Vec<&str> = words.map(|word| &*word.text).collect();
                let known = matches!(options.as_slice(), ["-a" | "+a"] | ["-o" | "+o", "allexport"]);
                if known { Ok(()) } else { Err(COMMAND) }
            }
            command if command.starts_with('$') || COMMANDS.contains(&command) => Err(COMMAND),
            _ => Ok(()),
        }
    }
}

impl Word {
    fn is_assignment(&self) -> bool {
        let Some(at) = self.equals else { return false };
        let name = self.text[..at].trim_end_matches('+');
        is_variable(name.split('[').next().unwrap_or(name))
    }
}
