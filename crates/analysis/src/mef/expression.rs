//! Probability expressions of basic events and parameters, evaluated to their expected value.

use super::read::Place;

/// The mission time in hours where none is asked for: one year.
pub const DEFAULT_MISSION_TIME: f64 = 8760.0;

/// An expression of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExprId(u32);

/// What an expression computes from its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Negate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Exp,
    Log,
    Log10,
    SquareRoot,
    Absolute,
    Minimum,
    Maximum,
    Mean,
    /// Failure rate and time: 1 - exp(-rate * time).
    Exponential,
    /// Probability of failure on demand, failure rate, repair rate, time.
    Glm,
    /// Scale, shape, time shift, time.
    Weibull,
    /// The mean of a uniform deviate: lower and upper bound.
    Uniform,
    /// The mean of a normal or log-normal deviate: its first argument.
    FirstIsMean,
    /// The mean of a log-normal deviate given by its underlying normal one: mu and sigma.
    LogNormal,
    /// The mean of a gamma deviate: shape times scale.
    Gamma,
    /// The mean of a beta deviate: alpha and beta.
    Beta,
    /// A component that is tested at intervals and repaired at once: failure rate, interval, time
    /// of the first test, time.
    PeriodicTest,
    Floor,
    Ceiling,
    Modulo,
    Sine,
    Cosine,
    Tangent,
    /// If the first is not 0, the second, else the third.
    Choose,
}

/// One expression; arguments have smaller numbers.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Number(f64),
    MissionTime,
    Parameter {
        name: String,
        scope: String,
        target: Option<ExprId>,
    },
    Call {
        function: Function,
        args: Vec<ExprId>,
    },
    /// Something that this program does not evaluate: the probability is then not known.
    Unknown,
}

impl Expr {
    /// The expression of an element with its arguments; unknown if either does not fit.
    pub fn call(tag: &str, args: Vec<ExprId>) -> Expr {
        use Function as F;
        let (function, least, most) = match tag {
            "neg" => (F::Negate, 1, 1),
            "add" => (F::Add, 1, usize::MAX),
            "sub" => (F::Subtract, 1, usize::MAX),
            "mul" => (F::Multiply, 1, usize::MAX),
            "div" => (F::Divide, 1, usize::MAX),
            "pow" => (F::Power, 2, 2),
            "exp" => (F::Exp, 1, 1),
            "log" => (F::Log, 1, 1),
            "log10" => (F::Log10, 1, 1),
            "sqrt" => (F::SquareRoot, 1, 1),
            "abs" => (F::Absolute, 1, 1),
            "min" => (F::Minimum, 1, usize::MAX),
            "max" => (F::Maximum, 1, usize::MAX),
            "mean" => (F::Mean, 1, usize::MAX),
            "exponential" => (F::Exponential, 2, 2),
            "GLM" => (F::Glm, 4, 4),
            "Weibull" => (F::Weibull, 4, 4),
            "uniform-deviate" => (F::Uniform, 2, 2),
            "normal-deviate" => (F::FirstIsMean, 2, 2),
            "lognormal-deviate" if args.len() == 2 => (F::LogNormal, 2, 2),
            "lognormal-deviate" => (F::FirstIsMean, 3, 3),
            "gamma-deviate" => (F::Gamma, 2, 2),
            "beta-deviate" => (F::Beta, 2, 2),
            // With more arguments it has a test with repairs of its own: not evaluated.
            "periodic-test" => (F::PeriodicTest, 4, 4),
            "floor" => (F::Floor, 1, 1),
            "ceil" => (F::Ceiling, 1, 1),
            "mod" => (F::Modulo, 2, 2),
            "sin" => (F::Sine, 1, 1),
            "cos" => (F::Cosine, 1, 1),
            "tan" => (F::Tangent, 1, 1),
            "ite" => (F::Choose, 3, 3),
            _ => return Expr::Unknown,
        };
        if args.len() < least || args.len() > most {
            return Expr::Unknown;
        }
        Expr::Call { function, args }
    }
}

/// All expressions of a model.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    expressions: Vec<(Expr, Place)>,
}

impl Table {
    pub fn push(&mut self, expr: Expr, place: Place) -> ExprId {
        self.expressions.push((expr, place));
        ExprId((self.expressions.len() - 1) as u32)
    }

    /// All references to parameters, to be given their targets.
    pub fn parameters(&mut self) -> impl Iterator<Item = (Place, &str, &str, &mut Option<ExprId>)> {
        self.expressions
            .iter_mut()
            .filter_map(|(expr, place)| match expr {
                Expr::Parameter {
                    name,
                    scope,
                    target,
                } => Some((*place, name.as_str(), scope.as_str(), target)),
                _ => None,
            })
    }

    /// The values of some expressions; none where one is unknown, circular or not a finite number.
    pub fn evaluate(&self, ids: &[Option<ExprId>], mission_time: f64) -> Vec<Option<f64>> {
        let mut known = vec![State::Open; self.expressions.len()];
        ids.iter()
            .map(|id| self.value((*id)?, mission_time, &mut known))
            .collect()
    }

    /// One value. Each expression is evaluated once, however many refer to it, and depth costs no
    /// stack.
    fn value(&self, id: ExprId, mission_time: f64, known: &mut [State]) -> Option<f64> {
        let mut stack = vec![id];
        while let Some(&at) = stack.last() {
            let (here, waiting) = (at.0 as usize, stack.len());
            match known[here] {
                State::Done(_) => {
                    stack.pop();
                    continue;
                }
                State::Open => {
                    known[here] = State::Waiting;
                    let open = |id: &&ExprId| matches!(known[id.0 as usize], State::Open);
                    stack.extend(self.arguments(at).iter().filter(open));
                }
                State::Waiting => {}
            }
            if stack.len() == waiting {
                known[here] = State::Done(self.apply(at, mission_time, known));
                stack.pop();
            }
        }
        match known[id.0 as usize] {
            State::Done(value) => value,
            _ => None,
        }
    }

    fn arguments(&self, id: ExprId) -> &[ExprId] {
        match &self.expressions[id.0 as usize].0 {
            Expr::Call { args, .. } => args,
            Expr::Parameter {
                target: Some(target),
                ..
            } => std::slice::from_ref(target),
            _ => &[],
        }
    }

    /// The value of an expression whose arguments are done; one that still waits is a circle.
    fn apply(&self, id: ExprId, mission_time: f64, known: &[State]) -> Option<f64> {
        let done = |id: &ExprId| match known[id.0 as usize] {
            State::Done(value) => value,
            _ => None,
        };
        let value = match &self.expressions[id.0 as usize].0 {
            Expr::Number(value) => *value,
            Expr::MissionTime => mission_time,
            Expr::Unknown => return None,
            Expr::Parameter { target, .. } => done(target.as_ref()?)?,
            Expr::Call { function, args } => {
                let values: Option<Vec<f64>> = args.iter().map(done).collect();
                apply(*function, &values?)
            }
        };
        value.is_finite().then_some(value)
    }
}

/// How far an expression's evaluation is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open,
    Waiting,
    Done(Option<f64>),
}

/// Applies a function; the number of values was checked when the expression was made.
fn apply(function: Function, v: &[f64]) -> f64 {
    match function {
        Function::Negate => -v[0],
        Function::Add => v.iter().sum(),
        Function::Subtract => v[0] - v[1..].iter().sum::<f64>(),
        Function::Multiply => v.iter().product(),
        Function::Divide => v[0] / v[1..].iter().product::<f64>(),
        Function::Power => v[0].powf(v[1]),
        Function::Exp => v[0].exp(),
        Function::Log => v[0].ln(),
        Function::Log10 => v[0].log10(),
        Function::SquareRoot => v[0].sqrt(),
        Function::Absolute => v[0].abs(),
        Function::Minimum => v.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Maximum => v.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Mean => v.iter().sum::<f64>() / v.len() as f64,
        Function::Exponential => -(-v[0] * v[1]).exp_m1(),
        Function::Glm => {
            let (on_demand, failure, repair, time) = (v[0], v[1], v[2], v[3]);
            let rate = failure + repair;
            (failure - (failure - on_demand * rate) * (-rate * time).exp()) / rate
        }
        Function::Weibull => {
            let (scale, shape, shift, time) = (v[0], v[1], v[2], v[3]);
            if time <= shift {
                return 0.0;
            }
            -(-((time - shift) / scale).powf(shape)).exp_m1()
        }
        Function::Uniform => f64::midpoint(v[0], v[1]),
        Function::FirstIsMean => v[0],
        Function::LogNormal => (v[0] + v[1] * v[1] / 2.0).exp(),
        Function::Gamma => v[0] * v[1],
        Function::Beta => v[0] / (v[0] + v[1]),
        Function::PeriodicTest => {
            let (rate, interval, first, time) = (v[0], v[1], v[2], v[3]);
            // Just before a test the component has run for a whole interval, not for none.
            let since = if time <= first {
                time
            } else {
                match (time - first) % interval {
                    0.0 => interval,
                    since => since,
                }
            };
            -(-rate * since).exp_m1()
        }
        Function::Floor => v[0].floor(),
        Function::Ceiling => v[0].ceil(),
        Function::Modulo => v[0] % v[1],
        Function::Sine => v[0].sin(),
        Function::Cosine => v[0].cos(),
        Function::Tangent => v[0].tan(),
        Function::Choose => {
            if v[0] == 0.0 {
                v[2]
            } else {
                v[1]
            }
        }
    }
}
