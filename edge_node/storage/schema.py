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


MIGRATIONS: list[Migration] = [m001_initial]
