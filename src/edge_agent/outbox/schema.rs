//! The outbox's tables.

use crate::database::Migration;

/// Its migrations. `measured_at` is in nanoseconds since the epoch, `at` too; `kind` is the name on the wire.
/// The one row of `totals` is kept by every change, so that no count ever walks the table.
pub(super) const MIGRATIONS: &[Migration] = &[
    "
CREATE TABLE message(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    measured_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX message_by_kind ON message(kind, measured_at);
CREATE TABLE state(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE given_up(kind TEXT PRIMARY KEY, messages INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE set_aside(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    raw TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE totals(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    given_up INTEGER NOT NULL,
    set_aside INTEGER NOT NULL,
    set_aside_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0);
",
    // What a message's time can be worked out from later. `boot_ns` is nanoseconds since that boot; `offset_ns` is what
    // has to be added to it for the time, once the clock is set. `held`: 0 free, 1 until the clock is set, 2 sent last.
    "
CREATE TABLE boot(id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL UNIQUE, offset_ns INTEGER) STRICT;
ALTER TABLE message ADD COLUMN boot INTEGER;
ALTER TABLE message ADD COLUMN boot_ns INTEGER;
ALTER TABLE message ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX message_held ON message(held, seq) WHERE held > 0;
ALTER TABLE totals ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER held_in AFTER INSERT ON message WHEN NEW.held = 1 BEGIN UPDATE totals SET held = held + 1; END;
CREATE TRIGGER held_out AFTER DELETE ON message WHEN OLD.held = 1 BEGIN UPDATE totals SET held = held - 1; END;
CREATE TRIGGER held_changed AFTER UPDATE OF held ON message BEGIN
    UPDATE totals SET held = held + (NEW.held = 1) - (OLD.held = 1);
END;
",
    // A second copy of the state, on pages of its own and in the same transactions: a broken page takes one of them. No
    // OR REPLACE in the triggers: an upsert, which fires them, would overrule it.
    "
CREATE TABLE state_copy(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO state_copy SELECT key, value FROM state;
CREATE TRIGGER state_in AFTER INSERT ON state BEGIN
    DELETE FROM state_copy WHERE key = NEW.key;
    INSERT INTO state_copy VALUES (NEW.key, NEW.value);
END;
CREATE TRIGGER state_changed AFTER UPDATE ON state BEGIN
    DELETE FROM state_copy WHERE key = NEW.key;
    INSERT INTO state_copy VALUES (NEW.key, NEW.value);
END;
",
];
