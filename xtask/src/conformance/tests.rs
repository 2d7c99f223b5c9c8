//! The suite judged: against a server that says what the test wants.
