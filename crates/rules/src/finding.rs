//! A finding: what is wrong, where, what follows from it, and what mends it.

use facts::Evidence;

/// How bad it is. The order is that of weight: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Degrades or delays; takes something down together with another fault.
    Warning,
    /// Takes the host or a critical guest down, or keeps it from coming back.
    Error,
}

impl Severity {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of one rule on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Rule's ID, `area/slug`; filled in by the engine.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Host it was found on; the switch's or group's name where no host is concerned.
    pub host: String,
    /// What it is about: a mount point, guest, port, unit.
    pub subject: String,
    /// What is wrong: one sentence, without a full stop.
    pub message: String,
    /// What follows from it: one sentence, without a full stop.
    pub consequence: String,
    /// Where it was read; the first is the one to show.
    pub evidence: Vec<Evidence>,
    /// What mends it: one sentence or a command; `None` where nofail cannot tell.
    pub fix: Option<String>,
    /// Lines that mend it where they are typed elsewhere (on a switch), in order; empty where
    /// there are none.
    pub commands: Vec<String>,
    /// What must be so before these lines are typed; `None` where they may be typed at once.
    pub caution: Option<String>,
}

impl Finding {
    /// A finding; the consequence, evidence and remedy are added by the methods below.
    pub fn new(
        severity: Severity,
        host: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule: "",
            severity,
            host: host.into(),
            subject: subject.into(),
            message: message.into(),
            consequence: String::new(),
            evidence: Vec::new(),
            fix: None,
            commands: Vec::new(),
            caution: None,
        }
    }

    /// Says what follows.
    #[must_use]
    pub fn consequence(mut self, text: impl Into<String>) -> Self {
        self.consequence = text.into();
        self
    }

    /// Adds one piece of evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds evidence where there is any.
    #[must_use]
    pub fn evidence_if(mut self, evidence: Option<Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Gives the lines that mend it where they are typed elsewhere.
    #[must_use]
    pub fn commands(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.commands = lines.into_iter().collect();
        self
    }

    /// Says what must be so before these lines are typed.
    #[must_use]
    pub fn caution(mut self, text: impl Into<String>) -> Self {
        self.caution = Some(text.into());
        self
    }

    /// Says what mends it.
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = Some(text.into());
        self
    }

    /// Message and consequence as one text, as JSON and Markdown show them.
    pub fn full_message(&self) -> String {
        if self.consequence.is_empty() {
            return self.message.clone();
        }
        format!("{}. {}", self.message, self.consequence)
    }
}
