//! The schema and its statements, on both engines.
