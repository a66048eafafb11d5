//! The screen at three sizes, and what keys do.
