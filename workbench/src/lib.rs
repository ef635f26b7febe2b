//! What the demo, the end-to-end tests and the bench share: seeded exports with their own truth, and a runner for the
//! local Worker. It knows nothing of the Worker's code, so that its truth is independent of it.
