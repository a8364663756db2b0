//! Tests of the answers on the graph of a small site.
