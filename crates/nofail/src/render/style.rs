//! Colour, only on a terminal and only where `NO_COLOR` (no-color.org) is not set.

use super::output;

/// Whether standard output may be coloured.
pub fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && output::is_terminal()
}

/// ANSI styles used by more than one command.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// Errors.
    Red,
    /// Warnings.
    Yellow,
    /// What is good.
    Green,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
}

/// The text in a style, plain where colour is off.
pub fn paint(style: Style, text: &str) -> String {
    if !colour() {
        return text.to_owned();
    }
    let code = match style {
        Style::Red => "1;31",
        Style::Yellow => "1;33",
        Style::Green => "1;32",
        Style::Bold => "1",
        Style::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
