//! The triage on the whole screen, measured again every five seconds. Measuring goes on in a thread of
//! its own: the screen answers while something hangs.

use super::Args;
use super::gather::{Found, gather};
use crate::cli::Exit;
use crate::render::output;
use anyhow::bail;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use ratatui::{DefaultTerminal, Frame};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use watch::triage::{Finding, Harm};

/// Between the end of one measurement and the next.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until `q`.
///
/// # Errors
/// No terminal, or the first measurement fails.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    if !output::is_terminal() {
        bail!("--tui needs a terminal; without it the same is printed once");
    }
    let first = gather(args)?;
    let (sender, receiver) = mpsc::channel();
    let own = args.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(PAUSE);
            if sender.send(gather(&own)).is_err() {
                return;
            }
        }
    });
    let mut terminal = ratatui::try_init()?;
    let ended = show(&mut terminal, first, &receiver);
    ratatui::restore();
    ended.map(|()| Exit::Good)
}

/// What is on the screen.
struct Screen {
    found: Found,
    at: Instant,
    trouble: Option<String>,
    scroll: usize,
    /// Lines that fit.
    page: usize,
}

fn show(
    terminal: &mut DefaultTerminal,
    first: Found,
    news: &Receiver<anyhow::Result<Found>>,
) -> anyhow::Result<()> {
    let mut screen = Screen {
        found: first,
        at: Instant::now(),
        trouble: None,
        scroll: 0,
        page: 0,
    };
    loop {
        while let Ok(measured) = news.try_recv() {
            match measured {
                Ok(found) => {
                    screen.found = found;
                    screen.at = Instant::now();
                    screen.trouble = None;
                }
                Err(error) => screen.trouble = Some(format!("{error:#}")),
            }
        }
        terminal.draw(|frame| draw(frame, &mut screen))?;
        if !event::poll(Duration::from_millis(250))? {
            continue;
        }
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Ok(());
                }
                KeyCode::Down | KeyCode::Char('j') => {
                    screen.scroll = screen.scroll.saturating_add(1)
                }
                KeyCode::Up | KeyCode::Char('k') => screen.scroll = screen.scroll.saturating_sub(1),
                KeyCode::PageDown | KeyCode::Char(' ') => {
                    screen.scroll = screen.scroll.saturating_add(screen.page);
                }
                KeyCode::PageUp => screen.scroll = screen.scroll.saturating_sub(screen.page),
                KeyCode::Home => screen.scroll = 0,
                KeyCode::End => screen.scroll = usize::MAX,
                _ => {}
            }
        }
    }
}

fn colour(finding: Finding) -> Color {
    match finding {
        Finding::Good => Color::Green,
        Finding::NotChecked => Color::DarkGray,
        Finding::Odd => Color::Yellow,
        Finding::Bad => Color::Red,
    }
}

/// How wide the names before each text are.
const INDENT: usize = 23;
/// The same in the list of steps.
const STEP: usize = 10;

fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let [head, middle, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let bold = Style::default().add_modifier(Modifier::BOLD);
    let summary = screen.found.report.summary.clone();
    frame.render_widget(Paragraph::new(Line::styled(summary, bold)), head);
    let inside = usize::from(middle.width.saturating_sub(2));
    let lines = body(&screen.found, bold, inside);
    let height = usize::from(middle.height.saturating_sub(2));
    let last = lines.len().saturating_sub(height);
    // Never beyond the end, also where the screen grew or the text became shorter.
    screen.page = height;
    screen.scroll = screen.scroll.min(last);
    let below = last - screen.scroll;
    let title = format!(" {} on {} ", screen.found.guest, screen.found.host);
    let shown: Vec<Line<'_>> = lines.into_iter().skip(screen.scroll).take(height).collect();
    let pane = Paragraph::new(shown).block(Block::bordered().title(title));
    frame.render_widget(pane, middle);
    // What matters most comes first: a narrow screen cuts the end off.
    let more = if below > 0 {
        format!("{below} lines below (j, k); ")
    } else {
        String::new()
    };
    let text = match &screen.trouble {
        Some(trouble) => format!("{more}not measured again: {trouble}"),
        None => format!(
            "{more}q leaves; measured {} s ago",
            screen.at.elapsed().as_secs()
        ),
    };
    frame.render_widget(Paragraph::new(text), foot);
}

/// Everything, in lines that fit the width.
fn body(found: &Found, bold: Style, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for check in &found.report.checks {
        let name = vec![
            Span::styled(
                format!("{:<12}", check.finding.name()),
                Style::default().fg(colour(check.finding)),
            ),
            Span::styled(format!("{:<11}", check.name), bold),
        ];
        hang(
            &mut lines,
            name,
            INDENT,
            &check.text,
            Style::default(),
            width,
        );
    }
    lines.push(Line::default());
    lines.push(Line::styled("Next steps, least harmful first", bold));
    for step in &found.report.steps {
        let colour = match step.harm {
            Harm::None => Color::Green,
            Harm::Gentle => Color::Cyan,
            Harm::Restart => Color::Yellow,
            Harm::PowerCut => Color::Red,
        };
        let name = Span::styled(
            format!("{:<STEP$}", step.harm.name()),
            Style::default().fg(colour),
        );
        hang(&mut lines, vec![name], STEP, &step.command, bold, width);
        let blank = vec![Span::raw(" ".repeat(STEP))];
        hang(&mut lines, blank, STEP, &step.why, Style::default(), width);
    }
    for (what, why) in &found.report.not {
        let name = Span::styled(format!("{:<STEP$}", "not"), Style::default().fg(Color::Red));
        hang(&mut lines, vec![name], STEP, what, bold, width);
        let blank = vec![Span::raw(" ".repeat(STEP))];
        hang(&mut lines, blank, STEP, why, Style::default(), width);
    }
    for (what, why) in &found.not_checked {
        let name = vec![Span::styled(
            format!("{:<12}", "not-checked"),
            Style::default().fg(Color::DarkGray),
        )];
        let text = format!("{what}: {why}");
        hang(&mut lines, name, 12, &text, Style::default(), width);
    }
    if !found.events.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Recent events", bold));
    }
    for (time, message) in &found.events {
        let time = format!("{time}  ");
        let indent = time.chars().count();
        let name = vec![Span::raw(time)];
        hang(&mut lines, name, indent, message, Style::default(), width);
    }
    lines
}

/// Adds a text behind its name, broken at spaces; what does not fit goes on below the text.
fn hang(
    lines: &mut Vec<Line<'static>>,
    name: Vec<Span<'static>>,
    indent: usize,
    text: &str,
    style: Style,
    width: usize,
) {
    // Where the screen is too narrow for the indent, a smaller one.
    let room = width.saturating_sub(indent).max(20);
    let mut spans = name;
    let mut filled = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if filled > 0 && filled + 1 + length > room {
            lines.push(Line::from(std::mem::take(&mut spans)));
            spans.push(Span::raw(
                " ".repeat(indent.min(width.saturating_sub(room))),
            ));
            filled = 0;
        }
        if filled > 0 {
            spans.push(Span::styled(" ", style));
            filled += 1;
        }
        spans.push(Span::styled(word.to_owned(), style));
        filled += length;
    }
    lines.push(Line::from(spans));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use watch::triage::{Ailment, Check, Report, Step};

    fn screen() -> Screen {
        let check = |name, finding, text: &str| Check {
            name,
            finding,
            text: text.to_owned(),
        };
        let long =
            "17290 of 24105 MiB available; stalled in the last 10 s: CPU 99 %, memory 0 %, I/O 0 %";
        let report = Report {
            summary: "ipsk-mgr-01 is paused (user)".into(),
            ailment: Ailment::Paused,
            checks: vec![
                check("state", Finding::Bad, "paused (user)"),
                check("host", Finding::Odd, long),
            ],
            steps: vec![Step {
                harm: Harm::None,
                command: "virsh domstate --reason ipsk-mgr-01; nofail events --guest ipsk-mgr-01"
                    .into(),
                why: "who paused it, and why".into(),
            }],
            not: vec![("reboot kvm-01".into(), "it would cure nothing".into())],
        };
        Screen {
            found: Found {
                guest: "ipsk-mgr-01".into(),
                host: "kvm-01".into(),
                report,
                vitals: facts::vitals::Vitals::default(),
                events: vec![("12:00:00".into(), "was suspended".into())],
                not_checked: vec![("agent".into(), "no permission".into())],
            },
            at: Instant::now(),
            trouble: None,
            scroll: 0,
            page: 0,
        }
    }

    fn shown(screen: &mut Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, screen)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn nothing_is_cut_off_and_nothing_scrolls_away() {
        let mut screen = screen();
        let wide = shown(&mut screen, 80, 24);
        for word in ["last 10 s", "I/O 0 %", "reboot kvm-01", "was suspended"] {
            assert!(wide.contains(word), "{word}\n{wide}");
        }
        // A small screen shows the rest by scrolling, and stops at the end.
        let small = shown(&mut screen, 50, 10);
        assert!(
            small.contains("lines below") && !small.contains("was suspended"),
            "{small}"
        );
        screen.scroll = 1_000;
        let end = shown(&mut screen, 50, 10);
        assert!(
            end.contains("was suspended") && !end.contains("lines below"),
            "{end}"
        );
        assert!(screen.scroll < 20);
        for (width, height) in [(10, 3), (1, 1), (23, 40)] {
            shown(&mut screen, width, height);
        }
    }
}
