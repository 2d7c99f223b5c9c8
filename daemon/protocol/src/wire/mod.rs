//! What goes over the wire beside commands and replies: names, times, facts, patterns.

pub mod facts_line;
pub mod glob;
pub mod line_buffer;
pub mod name;
pub mod time_val;
