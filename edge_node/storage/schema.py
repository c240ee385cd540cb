"""The tables of one tenant's file, as numbered migrations. Times are seconds since 1970."""

from sqlite_utils import Database

from nearside.database import Migration


def m001_initial(database: Database) -> None:
    database["conversations"].create(  # type: ignore[union-attr]
        {
            "id": str,
            "channel": str,
            "account": str,
            "thread": str,
            "customer": str,
            "state": str,
            "owner": str,
            "epoch": int,
            "created_at": float,
            "updated_at": float,
        },
        pk="id",
        not_null={"channel", "account", "thread", "customer", "state", "owner", "epoch"},
    )
    database["conversations"].create_index(["channel", "account", "thread"], unique=True)  # type: ignore[union-attr]
    database.execute(
        "CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id TEXT NOT NULL, turn_id TEXT NOT NULL,"
        " kind TEXT NOT NULL, body TEXT NOT NULL, created_at REAL NOT NULL)"
    )
    database["log"].create_index(["conversation_id", "id"])  # type: ignore[union-attr]
    database["inbox"].create(  # type: ignore[union-attr]
        {
            "turn_id": str,
            "event_id": int,
            "conversation_id": str,
            "channel": str,
            "account": str,
            "message_id": str,
            "digest": bytes,
            "lang": str,
            "status": str,
            "reason": str,
            "attempts": int,
            "received_at": float,
            "ended_at": float,
        },
        pk="turn_id",
        not_null={
            "event_id",
            "conversation_id",
            "channel",
            "account",
            "message_id",
            "digest",
            "status",
            "attempts",
        },
    )
    database["inbox"].create_index(["channel", "account", "message_id"], unique=True)  # type: ignore[union-attr]
    database.execute("CREATE INDEX inbox_open ON inbox (status, event_id) WHERE status IN ('queued', 'deferred')")
    database["outbox"].create(  # type: ignore[union-attr]
        {
            "event_id": int,
            "conversation_id": str,
            "epoch": int,
            "status": str,
            "reason": str,
            "attempts": int,
            "created_at": float,
            "sent_at": float,
        },
        pk="event_id",
        not_null={"conversation_id", "epoch", "status", "attempts"},
    )
    database.execute("CREATE INDEX outbox_open ON outbox (event_id) WHERE status = 'pending'")


def m002_promises(database: Database) -> None:
    """What is dead, doubtful or forgotten; the ledger of write calls; secrets that outlive the file's key."""
    for statement in (*INBOX_2, *OUTBOX_2, *CALLS_2, *PRIVACY_2):
        database.execute(statement)


# The partial indexes hold what still wants something; SQLite uses one for a query that repeats its condition.
INBOX_2 = (
    "ALTER TABLE inbox ADD COLUMN answered_by TEXT",
    "DROP INDEX inbox_open",
    "CREATE INDEX inbox_unsettled ON inbox (status, event_id) WHERE status NOT IN ('done', 'dropped')",
    "CREATE INDEX inbox_merged ON inbox (answered_by) WHERE answered_by IS NOT NULL",
)
OUTBOX_2 = (
    "ALTER TABLE outbox ADD COLUMN next_at REAL",
    "ALTER TABLE outbox ADD COLUMN attempted_at REAL",
    "ALTER TABLE outbox ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox RENAME COLUMN sent_at TO ended_at",
    "UPDATE outbox SET status = 'dropped', ended_at = created_at WHERE status = 'failed' AND reason = 'agent_owns'",
    "UPDATE outbox SET status = 'dead', ended_at = created_at WHERE status = 'failed'",
    "DROP INDEX outbox_open",
    "CREATE INDEX outbox_unsettled ON outbox (status, event_id) WHERE status NOT IN ('sent', 'dropped')",
    "CREATE INDEX outbox_doubted ON outbox (doubts) WHERE doubts > 0",
)
CALLS_2 = (
    "CREATE TABLE calls (turn_id TEXT NOT NULL, call_id TEXT NOT NULL, conversation_id TEXT NOT NULL,"
    " tool TEXT NOT NULL, arguments_digest BLOB NOT NULL, status TEXT NOT NULL, result TEXT NOT NULL,"
    " kind TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, PRIMARY KEY (turn_id, call_id)) WITHOUT ROWID",
    "CREATE INDEX calls_unknown ON calls (ended_at) WHERE status = 'unknown'",
)
PRIVACY_2 = (
    "CREATE TABLE seen (digest BLOB PRIMARY KEY, turn_id TEXT NOT NULL, conversation_id TEXT NOT NULL,"
    " event_id INTEGER NOT NULL, forgotten_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE erasures (turn_id TEXT PRIMARY KEY, created_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE secrets (purpose TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX conversations_customer ON conversations (customer)",
)


def m003_second_lives(database: Database) -> None:
    """From when a reply's time runs, if not from its making; turns that may have run after the backup they are of."""
    database.execute("ALTER TABLE outbox ADD COLUMN since REAL")
    database.execute("ALTER TABLE inbox ADD COLUMN restored INTEGER NOT NULL DEFAULT 0")


def m004_answers(database: Database) -> None:
    """What the core answered, for whoever asks the same; questions stand there as keyed hashes and vectors."""
    for statement in ANSWERS_4:
        database.execute(statement)


ANSWERS_4 = (
    "CREATE TABLE answers (key BLOB PRIMARY KEY, turn_id TEXT NOT NULL, version TEXT NOT NULL,"
    " signature BLOB NOT NULL, words BLOB NOT NULL, vector BLOB NOT NULL, answer TEXT NOT NULL,"
    " kept_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX answers_turn ON answers (turn_id)",
    "CREATE INDEX answers_age ON answers (kept_at)",
)

MIGRATIONS: list[Migration] = [m001_initial, m002_promises, m003_second_lives, m004_answers]
