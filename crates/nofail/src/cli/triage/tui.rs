//! The triage on the whole screen, measured again every five seconds. Measuring goes on in a thread of
//! its own: the screen answers while something hangs.

use super::Args;
use super::gather::{Found, gather};
use crate::cli::Exit;
use anyhow::bail;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use ratatui::{DefaultTerminal, Frame};
use std::io::IsTerminal;
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
    if !std::io::stdout().is_terminal() {
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
    scroll: u16,
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
        terminal.draw(|frame| draw(frame, &screen))?;
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

fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let found = &screen.found;
    let report = &found.report;
    let checks = u16::try_from(report.checks.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let areas = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(checks.min(frame.area().height / 2)),
        Constraint::Min(5),
        Constraint::Length(1),
    ])
    .split(frame.area());
    let bold = Style::default().add_modifier(Modifier::BOLD);
    frame.render_widget(
        Paragraph::new(Line::styled(report.summary.clone(), bold)).wrap(Wrap { trim: true }),
        areas[0],
    );
    let lines: Vec<Line<'_>> = report
        .checks
        .iter()
        .map(|c| {
            Line::from(vec![
                Span::styled(
                    format!("{:<12}", c.finding.name()),
                    Style::default().fg(colour(c.finding)),
                ),
                Span::styled(format!("{:<11}", c.name), bold),
                Span::raw(c.text.clone()),
            ])
        })
        .collect();
    let title = format!(" {} on {} ", found.guest, found.host);
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(title)),
        areas[1],
    );
    let body = Paragraph::new(body(found, bold))
        .wrap(Wrap { trim: false })
        .scroll((screen.scroll, 0))
        .block(Block::bordered().title(" next steps, least harmful first "));
    frame.render_widget(body, areas[2]);
    let foot = match &screen.trouble {
        Some(trouble) => format!("not measured again: {trouble}"),
        None => format!(
            "measured {} s ago; q leaves, j and k scroll",
            screen.at.elapsed().as_secs()
        ),
    };
    frame.render_widget(Paragraph::new(foot), areas[3]);
}

fn body(found: &Found, bold: Style) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for step in &found.report.steps {
        let colour = match step.harm {
            Harm::None => Color::Green,
            Harm::Gentle => Color::Cyan,
            Harm::Restart => Color::Yellow,
            Harm::PowerCut => Color::Red,
        };
        lines.push(Line::from(vec![
            Span::styled(
                format!("{:<10}", step.harm.name()),
                Style::default().fg(colour),
            ),
            Span::styled(step.command.clone(), bold),
        ]));
        lines.push(Line::raw(format!("          {}", step.why)));
    }
    for (what, why) in &found.report.not {
        lines.push(Line::from(vec![
            Span::styled("not       ".to_owned(), Style::default().fg(Color::Red)),
            Span::styled(what.clone(), bold),
        ]));
        lines.push(Line::raw(format!("          {why}")));
    }
    for (time, message) in &found.events {
        lines.push(Line::raw(format!("{time}  {message}")));
    }
    lines
}
