//! A scripted stand-in for the model's API, for the demo, evals and tests.
