//! Tests of the gate by feeding events.
