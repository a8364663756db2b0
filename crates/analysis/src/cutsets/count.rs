//! Counts the sets of a diagram by order, without listing them.
//!
//! A family's counts are a polynomial in the order; a module's polynomial takes the place of the
//! plain variable where the module is an input. Counting starts in 64 bits and is done again in
//! 128 bits, then in arbitrary length, if a number does not fit.

use num_bigint::BigUint;

use super::modules::Input;
use super::zbdd::{EMPTY, FrozenZbdd};

/// A number of sets.
trait Number: Clone {
    fn small(value: u8) -> Self;
    fn is_zero(&self) -> bool;
    fn add(&self, other: &Self) -> Option<Self>;
    fn multiply(&self, other: &Self) -> Option<Self>;
    fn big(&self) -> BigUint;
}

macro_rules! machine_number {
    ($type:ty) => {
        impl Number for $type {
            fn small(value: u8) -> Self {
                Self::from(value)
            }
            fn is_zero(&self) -> bool {
                *self == 0
            }
            fn add(&self, other: &Self) -> Option<Self> {
                self.checked_add(*other)
            }
            fn multiply(&self, other: &Self) -> Option<Self> {
                self.checked_mul(*other)
            }
            fn big(&self) -> BigUint {
                BigUint::from(*self)
            }
        }
    };
}
machine_number!(u64);
machine_number!(u128);

impl Number for BigUint {
    fn small(value: u8) -> Self {
        BigUint::from(value)
    }
    fn is_zero(&self) -> bool {
        *self == BigUint::ZERO
    }
    fn add(&self, other: &Self) -> Option<Self> {
        Some(self + other)
    }
    fn multiply(&self, other: &Self) -> Option<Self> {
        Some(self * other)
    }
    fn big(&self) -> BigUint {
        self.clone()
    }
}

/// Numbers of sets by order, from the lowest order that has any.
#[derive(Debug, Clone)]
struct Polynomial<N> {
    lowest: usize,
    counts: Vec<N>,
}

impl<N: Number> Polynomial<N> {
    fn zero() -> Self {
        Polynomial {
            lowest: 0,
            counts: Vec::new(),
        }
    }

    fn monomial(order: usize) -> Self {
        Polynomial {
            lowest: order,
            counts: vec![N::small(1)],
        }
    }

    fn add(&self, other: &Self) -> Option<Self> {
        if self.counts.is_empty() {
            return Some(other.clone());
        }
        if other.counts.is_empty() {
            return Some(self.clone());
        }
        let lowest = self.lowest.min(other.lowest);
        let end = (self.lowest + self.counts.len()).max(other.lowest + other.counts.len());
        let mut counts = vec![N::small(0); end - lowest];
        for part in [self, other] {
            for (i, count) in part.counts.iter().enumerate() {
                let place = &mut counts[part.lowest - lowest + i];
                *place = place.add(count)?;
            }
        }
        Some(Polynomial { lowest, counts })
    }

    fn multiply(&self, other: &Self, max_order: usize) -> Option<Self> {
        let lowest = self.lowest + other.lowest;
        if self.counts.is_empty() || other.counts.is_empty() || lowest > max_order {
            return Some(Self::zero());
        }
        let length = (self.counts.len() + other.counts.len() - 1).min(max_order - lowest + 1);
        let mut counts = vec![N::small(0); length];
        for (i, a) in self.counts.iter().enumerate() {
            if a.is_zero() {
                continue;
            }
            for (place, b) in counts.iter_mut().skip(i).zip(&other.counts) {
                *place = place.add(&a.multiply(b)?)?;
            }
        }
        Some(Polynomial { lowest, counts })
    }

    /// One more event in each set.
    fn shift(mut self, max_order: usize) -> Self {
        self.lowest += 1;
        if self.lowest + self.counts.len() > max_order + 1 {
            self.counts.pop();
        }
        self
    }
}

/// One solved module as counting sees it: its inputs by level, and its family.
pub(crate) type Counted<'a> = (&'a [Input], &'a FrozenZbdd);

/// The number of minimal cut sets of the last module, by order; index 0 is order 0.
pub(crate) fn by_order(modules: &[Counted<'_>], max_order: usize) -> Vec<BigUint> {
    attempt::<u64>(modules, max_order)
        .or_else(|| attempt::<u128>(modules, max_order))
        .or_else(|| attempt::<BigUint>(modules, max_order))
        .unwrap_or_default()
}

fn attempt<N: Number>(modules: &[Counted<'_>], max_order: usize) -> Option<Vec<BigUint>> {
    let mut solved: Vec<Polynomial<N>> = Vec::with_capacity(modules.len());
    for (inputs, family) in modules {
        let polynomial = one::<N>(inputs, family, &solved, max_order)?;
        solved.push(polynomial);
        // A module is an input of one other only: its numbers are not needed again.
        for input in *inputs {
            if let Input::Module(module) = input {
                solved[*module as usize] = Polynomial::zero();
            }
        }
    }
    let top = solved.pop()?;
    let mut result = vec![BigUint::ZERO; top.lowest];
    result.extend(top.counts.iter().map(N::big));
    while result.last().is_some_and(|n| *n == BigUint::ZERO) {
        result.pop();
    }
    Some(result)
}

fn one<N: Number>(
    inputs: &[Input],
    family: &FrozenZbdd,
    solved: &[Polynomial<N>],
    max_order: usize,
) -> Option<Polynomial<N>> {
    // A polynomial is let go as soon as its last parent has read it.
    let mut readers = vec![0u32; family.nodes.len()];
    for &(_, lo, hi) in family.nodes.iter().skip(2) {
        readers[lo as usize] += 1;
        readers[hi as usize] += 1;
    }
    readers[family.root as usize] += 1;
    let mut values: Vec<Option<Polynomial<N>>> = vec![None; family.nodes.len()];
    values[0] = Some(Polynomial::zero());
    values[1] = Some(Polynomial::monomial(0));
    let mut take = |values: &mut Vec<Option<Polynomial<N>>>, at: u32| {
        readers[at as usize] -= 1;
        if readers[at as usize] == 0 {
            values[at as usize].take()
        } else {
            values[at as usize].clone()
        }
    };
    for (at, &(level, lo, hi)) in family.nodes.iter().enumerate().skip(2) {
        let with = take(&mut values, hi)?;
        let with = match inputs[level as usize] {
            Input::Event(_) => with.shift(max_order),
            Input::Module(module) => with.multiply(&solved[module as usize], max_order)?,
        };
        let value = if lo == EMPTY {
            with
        } else {
            with.add(&take(&mut values, lo)?)?
        };
        values[at] = Some(value);
    }
    take(&mut values, family.root)
}
