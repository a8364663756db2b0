//! What `nofail evacuate` would do and did, for a person.

use super::plans::indented;
use super::print;
use super::style::{Style, paint};
use change::Plan;
use change::evacuate::space::human;
use change::evacuate::{Mode, Refusal, Survey};
use change::journal::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::IsTerminal;

/// What is moved and what stays, then the steps.
///
/// # Errors
/// Standard output cannot be written.
pub fn plan(plan: &Plan, survey: &Survey) -> anyhow::Result<()> {
    let mut text = String::new();
    let how = match survey.mode {
        Mode::Offline => "it is off: copied, compared, then defined anew",
        Mode::Live => "it runs: moved live, without an interruption",
    };
    let head = format!("{} to {} ({how})", survey.guest, survey.target.directory);
    let _ = writeln!(text, "{}", paint(Style::Bold, &head));
    for moved in &survey.moves {
        let _ = writeln!(
            text,
            "  {:<6} {} -> {}  {}, {} of {}",
            moved.disk,
            moved.from,
            moved.to,
            moved.format,
            human(moved.needs),
            human(moved.virtual_size)
        );
        for backing in &moved.backing {
            let _ = writeln!(
                text,
                "         rests on {backing}, which stays; the copy does not need it"
            );
        }
    }
    stays(&mut text, survey);
    let _ = writeln!(
        text,
        "  free   {} on {}",
        human(survey.target.available),
        survey.target.mount
    );
    steps(&mut text, plan);
    print(&text)
}

fn stays(text: &mut String, survey: &Survey) {
    for left in &survey.left {
        let _ = writeln!(
            text,
            "  {:<6} {} stays: {}",
            left.disk, left.source, left.why
        );
    }
    for note in &survey.notes {
        let _ = writeln!(text, "  {}   {note}", paint(Style::Yellow, "note"));
    }
}

fn steps(text: &mut String, plan: &Plan) {
    for (index, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(text, "\nstep {}", index + 1);
        indented(text, &step.what);
    }
}

/// Nothing lies on the network.
///
/// # Errors
/// Standard output cannot be written.
pub fn nothing(survey: &Survey) -> anyhow::Result<()> {
    let mut text = format!("no disk of {} has to be moved\n", survey.guest);
    stays(&mut text, survey);
    print(&text)
}

/// Why nothing is done.
///
/// # Errors
/// Standard output cannot be written.
pub fn refused(guest: &str, refused: &[Refusal]) -> anyhow::Result<()> {
    let mut text = String::new();
    let head = format!("refused, nothing was changed: {guest}");
    let _ = writeln!(text, "{}", paint(Style::Red, &head));
    for refusal in refused {
        let disk = refusal.disk.as_ref();
        let disk = disk.map_or_else(String::new, |d| format!("disk {d}: "));
        let _ = writeln!(text, "  {disk}{}", refusal.why);
        let _ = writeln!(text, "    {}", refusal.advice);
    }
    print(&text)
}

/// What would be removed.
///
/// # Errors
/// Standard output cannot be written.
pub fn removal(plan: &Plan, orphaned: &[String]) -> anyhow::Result<()> {
    let mut text = String::new();
    let _ = writeln!(text, "{}", paint(Style::Bold, "this cannot be taken back"));
    steps(&mut text, plan);
    for path in orphaned {
        let _ = writeln!(
            text,
            "\nno guest of this host uses {path} any more; if none of another host does: rm {path}"
        );
    }
    print(&text)
}

/// How it ended.
///
/// # Errors
/// Standard output cannot be written.
pub fn end(plan: &Plan, survey: &Survey, applied: bool) -> anyhow::Result<()> {
    if !applied {
        return print("\nnothing was changed; --yes does it\n");
    }
    let guest = &survey.guest;
    print(&format!(
        "\ndone: {guest} rests on {} alone. The originals are kept.\n\
         to remove them, later: nofail evacuate {guest} --remove-source\n\
         to take it back:       nofail rollback {}\n",
        survey.target.mount, plan.id
    ))
}

/// After a failed step: what that means for the guest, on standard error.
pub fn unchanged(error: &change::Error, guest: &str) {
    if matches!(error, change::Error::Undone { .. }) {
        eprintln!("{guest} lies where it lay; no copy was left behind");
    }
}

/// A bar for each step that takes long: on standard error, only where that is a terminal.
pub struct Bar {
    whats: Vec<String>,
    person: bool,
    bar: Option<(usize, ProgressBar)>,
}

impl Bar {
    /// One for a plan. Finished steps are told where a person watches.
    pub fn new(plan: &Plan, person: bool) -> Self {
        let first = |what: &str| what.lines().last().unwrap_or_default().to_owned();
        Self {
            whats: plan.steps.iter().map(|step| first(&step.what)).collect(),
            person,
            bar: None,
        }
    }

    /// Something happened.
    pub fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::At { step, done, of } => self.at(*step, *done, *of),
            Progress::Done { step } => {
                self.finish();
                if self.person && std::io::stderr().is_terminal() {
                    eprintln!("step {} done", step + 1);
                }
            }
            Progress::Failed { step, why } => {
                self.finish();
                eprintln!("step {} failed: {why}; taking back what was done", step + 1);
            }
            _ => {}
        }
    }

    fn at(&mut self, step: usize, done: u64, of: u64) {
        if self.bar.as_ref().is_none_or(|(of, _)| *of != step) {
            self.finish();
            let bar = ProgressBar::new(of);
            let form = "{msg}\n{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            if let Some(what) = self.whats.get(step) {
                bar.set_message(what.clone());
            }
            self.bar = Some((step, bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
        }
    }

    /// Clears the bar.
    pub fn finish(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
