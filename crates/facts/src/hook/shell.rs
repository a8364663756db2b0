//! Splits shell text into simple commands: enough to tell what a script runs from what it only
//! mentions. Comments and here-documents are left out; `$(…)`, back quotes and the argument of
//! `-c` are commands of their own. It executes and expands nothing.
//!
//! The token rules are those of POSIX.1-2017, Shell Command Language, section 2.3.

/// How deep substitutions may nest before the rest is passed over.
const MAX_DEPTH: u32 = 16;

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its words, without quotes; redirections are words too (`>/dev/null`).
    pub words: Vec<String>,
    /// Line of its first word, from 1.
    pub line: u32,
    /// Whether it (or a group that it stands in) ends in `&`.
    pub background: bool,
    /// Whether its output, or that of a group that it stands in, is redirected.
    pub redirected: bool,
}

impl Command {
    /// The program: the first word that is no assignment, keyword or prefix (`sudo`, `exec`),
    /// without its directories.
    pub fn program(&self) -> Option<&str> {
        self.words
            .iter()
            .find(|w| !is_prefix(w))
            .map(|w| w.rsplit('/').next().unwrap_or(w))
    }
}

fn is_prefix(word: &str) -> bool {
    let keyword = matches!(
        word,
        "if" | "then"
            | "elif"
            | "else"
            | "fi"
            | "while"
            | "until"
            | "do"
            | "done"
            | "!"
            | "{"
            | "}"
            | "sudo"
            | "exec"
            | "command"
            | "nohup"
            | "nice"
            | "env"
            | "time"
            | "timeout"
            | "builtin"
    );
    let assignment = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    // An option or duration of such a prefix: `timeout -k 5 10s`.
    let duration = word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .trim_end_matches(['s', 'm', 'h'])
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.');
    keyword || assignment || duration || word.starts_with('-') && word.len() > 1
}

/// Every simple command in a text, in the order in which they begin.
pub fn commands(text: &str) -> Vec<Command> {
    let mut found = Vec::new();
    scan(text, 1, 0, &mut found);
    found.sort_by_key(|c| c.line);
    found
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    depth: u32,
    word: String,
    in_word: bool,
    current: Command,
    /// Where in the list the commands of each open group begin.
    groups: Vec<usize>,
    /// The group that has just closed.
    closed: Option<usize>,
    /// Delimiters of here-documents that begin on the next line; whether tabs are stripped.
    heredocs: Vec<(String, bool)>,
}

fn scan(text: &str, line: u32, depth: u32, found: &mut Vec<Command>) {
    if depth > MAX_DEPTH {
        return;
    }
    let mut scanner = Scanner {
        text,
        at: 0,
        line,
        depth,
        word: String::new(),
        in_word: false,
        current: Command::default(),
        groups: Vec::new(),
        closed: None,
        heredocs: Vec::new(),
    };
    while let Some(c) = scanner.next() {
        scanner.step(c, found);
    }
    scanner.end_command(false, found);
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(c)
    }

    fn push(&mut self, c: char) {
        if !self.in_word && self.current.words.is_empty() {
            self.current.line = self.line;
        }
        self.in_word = true;
        self.word.push(c);
    }

    fn begin_word(&mut self) {
        if !self.in_word && self.current.words.is_empty() {
            self.current.line = self.line;
        }
        self.in_word = true;
    }

    fn end_word(&mut self, found: &mut Vec<Command>) {
        if !std::mem::take(&mut self.in_word) {
            return;
        }
        let word = std::mem::take(&mut self.word);
        // `sh -c 'TEXT'`, also with other options in the same word (`-ec`).
        let runs_text = self.current.words.last().is_some_and(|last| {
            last.starts_with('-') && !last.starts_with("--") && last.ends_with('c')
        });
        if runs_text && word.contains(char::is_whitespace) {
            scan(&word, self.current.line, self.depth + 1, found);
        }
        if let Some(delimiter) = heredoc(self.current.words.last().map(String::as_str), &word) {
            self.heredocs.push(delimiter);
        }
        self.current.words.push(word);
    }

    fn end_command(&mut self, background: bool, found: &mut Vec<Command>) {
        self.end_word(found);
        let only_redirects = self
            .current
            .words
            .iter()
            .all(|w| w.contains('>') || w.contains('<'));
        if background
            && only_redirects
            && let Some(from) = self.closed
        {
            for command in &mut found[from..] {
                command.background = true;
                command.redirected |= !self.current.words.is_empty();
            }
        }
        self.closed = self.closed.filter(|_| only_redirects && !background);
        let mut command = std::mem::take(&mut self.current);
        if !command.words.is_empty() {
            command.background = background;
            command.redirected = command.words.iter().any(|w| w.contains('>'));
            found.push(command);
        }
    }

    fn step(&mut self, c: char, found: &mut Vec<Command>) {
        match c {
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(c) => self.push(c),
            },
            '\'' => {
                self.begin_word();
                while let Some(c) = self.next() {
                    if c == '\'' {
                        break;
                    }
                    self.word.push(c);
                }
            }
            '"' => self.double_quoted(found),
            '`' => self.back_quoted(found),
            '$' => self.dollar(found),
            '#' if !self.in_word => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
            }
            '\n' => {
                self.end_command(false, found);
                self.closed = None;
                self.skip_heredocs();
            }
            ';' | '|' => self.end_command(false, found),
            '&' => {
                let redirect = self.word.ends_with(['>', '<']) || self.peek() == Some('>');
                if redirect {
                    self.push('&');
                } else if self.peek() == Some('&') {
                    self.next();
                    self.end_command(false, found);
                } else {
                    self.end_command(true, found);
                }
            }
            '(' => {
                self.end_command(false, found);
                self.groups.push(found.len());
            }
            ')' => {
                self.end_command(false, found);
                self.closed = self.groups.pop();
            }
            c if c.is_whitespace() => {
                self.end_word(found);
                match self.current.words.last().map(String::as_str) {
                    Some("{") if self.current.words.len() == 1 => {
                        self.current.words.clear();
                        self.groups.push(found.len());
                    }
                    Some("}") if self.current.words.len() == 1 => {
                        self.current.words.clear();
                        self.closed = self.groups.pop();
                    }
                    _ => {}
                }
            }
            c => self.push(c),
        }
    }

    fn double_quoted(&mut self, found: &mut Vec<Command>) {
        self.begin_word();
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => {
                    if let Some(c) = self.next() {
                        self.word.push(c);
                    }
                }
                '`' => self.back_quoted(found),
                '$' => self.dollar(found),
                c => self.word.push(c),
            }
        }
    }

    fn back_quoted(&mut self, found: &mut Vec<Command>) {
        self.begin_word();
        let (start, line) = (self.at, self.line);
        while let Some(c) = self.next() {
            if c == '`' {
                let inside = &self.text[start..self.at - 1];
                scan(inside, line, self.depth + 1, found);
                return;
            }
        }
    }

    /// After `$`: a command substitution is scanned, an arithmetic or parameter expansion is
    /// taken into the word as it stands.
    fn dollar(&mut self, found: &mut Vec<Command>) {
        self.push('$');
        let (open, close) = match self.peek() {
            Some('(') => ('(', ')'),
            Some('{') => ('{', '}'),
            _ => return,
        };
        let (start, line) = (self.at, self.line);
        let mut nesting = 0u32;
        while let Some(c) = self.next() {
            if c == '\\' {
                self.next();
            } else if c == open {
                nesting += 1;
            } else if c == close {
                nesting -= 1;
                if nesting == 0 {
                    break;
                }
            }
        }
        let whole = &self.text[start..self.at];
        self.word.push_str(whole);
        if open == '(' && !whole.starts_with("((") {
            let inside = whole.strip_prefix('(').unwrap_or(whole);
            let inside = inside.strip_suffix(')').unwrap_or(inside);
            scan(inside, line, self.depth + 1, found);
        }
    }

    fn skip_heredocs(&mut self) {
        for (delimiter, tabs) in std::mem::take(&mut self.heredocs) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let line = rest.lines().next().unwrap_or("");
                self.at += rest.find('\n').map_or(rest.len(), |n| n + 1);
                self.line = self.line.saturating_add(1);
                let line = if tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                if line == delimiter {
                    break;
                }
            }
        }
    }
}

/// The delimiter of a here-document that a word announces: `<<EOF`, `<<-EOF`, `<< EOF`.
fn heredoc(previous: Option<&str>, word: &str) -> Option<(String, bool)> {
    if let Some(previous @ ("<<" | "<<-")) = previous {
        return Some((word.to_owned(), previous == "<<-"));
    }
    let at = word.find("<<")?;
    let rest = &word[at + 2..];
    if rest.starts_with('<') {
        return None;
    }
    let (rest, tabs) = rest.strip_prefix('-').map_or((rest, false), |r| (r, true));
    (!rest.is_empty()).then(|| (rest.to_owned(), tabs))
}
