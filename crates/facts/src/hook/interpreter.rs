//! The first line of a script, see execve(2): `#!interpreter [argument]`.

/// What the kernel, and env(1) after it, would look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program that the kernel starts.
    pub program: String,
    /// The program that env(1) then looks for in `PATH`.
    pub through_env: Option<String>,
}

/// The first line without `#!` and white space; `None` where the text has no such line.
pub fn first_line(text: &str) -> Option<&str> {
    let line = text.lines().next()?.strip_prefix("#!")?.trim();
    Some(line)
}

/// Whether the first line ends in carriage return: the kernel then looks for a program whose
/// name ends in one.
pub fn has_crlf(text: &str) -> bool {
    text.split('\n')
        .next()
        .is_some_and(|line| line.ends_with('\r'))
}

/// Takes such a first line (without `#!`) apart.
pub fn parse(line: &str) -> Option<Interpreter> {
    let mut words = line.split_whitespace();
    let program = words.next()?.to_owned();
    let through_env = (program.rsplit('/').next() == Some("env"))
        .then(|| {
            words
                .find(|w| !w.starts_with('-') && !w.contains('='))
                .map(str::to_owned)
        })
        .flatten();
    Some(Interpreter {
        program,
        through_env,
    })
}

/// The shell that can check the syntax of a script with this interpreter without running it.
pub fn shell(interpreter: &Interpreter) -> Option<&'static str> {
    let program = interpreter
        .through_env
        .as_deref()
        .unwrap_or(&interpreter.program);
    match program.rsplit('/').next().unwrap_or(program) {
        "bash" => Some("bash"),
        "sh" | "dash" | "ash" => Some("sh"),
        "ksh" | "mksh" | "ksh93" => Some("ksh"),
        _ => None,
    }
}

/// What a shell says with `-n`: `bash: line 5: syntax error…`, `sh: 5: Syntax error: …`.
/// `None` for a message without a line number.
pub fn syntax_error(said: &str) -> Option<crate::SyntaxError> {
    said.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let _shell = parts.next()?;
        let number = parts.next()?.trim();
        let number = number.strip_prefix("line ").unwrap_or(number);
        let message = parts.next()?.trim();
        Some(crate::SyntaxError::new(number.parse().ok()?, 1, message))
    })
}
