//! Tests of the remedies.
