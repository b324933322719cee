//! Bounded frames, the job specification and the action vocabulary.
