//! The embedded environments: an IoT-Hub-compatible endpoint on this machine.
