//! The Python face: the only crate that names PyO3. No thread of ours enters
//! Python; Python's own threads take jobs from a queue and bring back answers.
