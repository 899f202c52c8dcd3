//! Test material of the workspace: golden reader, comparison, tiny checkpoints. Unpublished.
