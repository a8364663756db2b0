//! Judgements over snapshots, and the steps that come of them.
