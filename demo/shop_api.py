"""The demo company's shop system: a small HTTP API over one SQLite file, on loopback, behind a bearer token.

GET /orders/{number}, POST /orders/{number}/verify {"fact"}, POST /orders/{number}/cancel, POST /tickets,
GET /tickets/{id}, GET /answers?key=.
A write needs an Idempotency-Key; the same key answers the same again, also after a restart, and /answers?key= tells
what it answered, or {"known": false}: then that write never happened. Orders 1001 to 1240 are invented.
"""

import argparse
import hashlib
import hmac
import json
import os
import random
import re
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HOST = "127.0.0.1"
FIRST, LAST = 1001, 1240
SEED = 1042
WRONG_FACTS_LIMIT = 10
WRONG_FACTS_WINDOW_S = 3600
BODY_LIMIT = 16 * 1024

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, placed_on TEXT NOT NULL, items TEXT NOT NULL,
    total_cents INTEGER NOT NULL, carrier TEXT, tracking TEXT, eta TEXT,
    name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, address TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tickets (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, summary TEXT NOT NULL, order_number TEXT, lang TEXT, conversation TEXT,
    opened_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS wrong_facts (number INTEGER NOT NULL, at REAL NOT NULL);
"""

PRODUCTS = (
    ("Skua 3 tent", "Skua 3 帐篷", 47900),
    ("Tern 55 backpack", "Tern 55 背包", 21900),
    ("Ridgeway hiking boots", "Ridgeway 登山靴", 28900),
    ("Eider down jacket", "Eider 羽绒服", 25900),
    ("Glim 400 headlamp", "Glim 400 头灯", 6900),
    ("Drift sleeping pad", "Drift 睡垫", 13900),
    ("Ember gas stove", "Ember 炉头", 8400),
    ("Brook water filter", "Brook 净水器", 5900),
    ("Lode 2 avalanche beacon", "Lode 2 雪崩信标", 27900),
    ("Glim 400 replacement headband", "Glim 400 备用头带", 600),
)
CUSTOMERS = (
    ("Anna Becker", "anna.becker", "+49 761 5550", "Rosenweg {0}, 79111 Freiburg"),
    ("Jonas Hartmann", "j.hartmann", "+49 341 5551", "Lindenstraße {0}, 04109 Leipzig"),
    ("Claire Moreau", "claire.moreau", "+33 4 50 55 5", "{0} rue des Pins, 74000 Annecy"),
    ("Lukas Gruber", "lukas.gruber", "+43 512 5553", "Innstraße {0}, 6020 Innsbruck"),
    ("Emma Walsh", "emma.walsh", "+353 1 555 4", "{0} Harbour Road, Dublin"),
    ("王芳", "wang.fang", "+86 571 5555", "杭州市西湖区翠苑路{0}号"),
    ("李伟", "li.wei", "+86 28 5556", "成都市青羊区草堂路{0}号"),
    ("陈静", "chen.jing", "+86 21 5557", "上海市徐汇区龙华路{0}号"),
    ("赵磊", "zhao.lei", "+86 10 5558", "北京市海淀区中关村路{0}号"),
    ("Sofia Rossi", "sofia.rossi", "+39 02 5559", "Via dei Larici {0}, 20121 Milano"),
)
STATES = ("processing", "packed", "shipped", "shipped", "delivered", "delivered", "delivered", "cancelled", "returned")
CARRIERS = ("DHL", "DPD", "GLS", "SF Express")

Body = Mapping[str, Any]
Answer = tuple[int, dict[str, Any]]
Handler = Callable[[sqlite3.Connection, Request, Body], Answer]


def seeded_orders(today: date) -> Iterator[tuple[Any, ...]]:
    """The same orders every time; only their dates follow the day the file is made."""
    chance = random.Random(SEED)
    for number in range(FIRST, LAST + 1):
        name, mail, phone, address = CUSTOMERS[chance.randrange(len(CUSTOMERS))]
        bought = [(chance.choice(PRODUCTS), chance.randint(1, 2)) for _ in range(chance.randint(1, 3))]
        items = [{"name": {"en": en, "zh": zh}, "quantity": count} for (en, zh, _), count in bought]
        total = sum(cents * count for (_, _, cents), count in bought)
        state = "processing" if number == 1042 else chance.choice(STATES)
        age = {"processing": 1, "packed": 2, "shipped": 3}.get(state, chance.randint(12, 60))
        sent = state in ("shipped", "delivered", "returned")
        carrier, tracking = chance.choice(CARRIERS), f"LK{chance.randrange(10**9, 10**10)}"
        placed = today - timedelta(days=age)
        eta = None if state == "cancelled" else str(placed + timedelta(days=4))
        customer = (
            name,
            f"{mail}{number}@mail.example",
            f"{phone}{chance.randrange(10**4):04d}",
            address.format(chance.randint(1, 90)),
        )
        parcel = (carrier if sent else None, tracking if sent else None, eta)
        yield (number, state, str(placed), json.dumps(items, ensure_ascii=False), total, *parcel, *customer)


def open_database(path: Path, today: date) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    with transaction(connection):
        if connection.execute("SELECT count(*) FROM orders").fetchone()[0] == 0:
            places = ", ".join("?" * 12)
            connection.executemany(f"INSERT INTO orders VALUES ({places})", seeded_orders(today))  # noqa: S608 - only ?
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def find_order(connection: sqlite3.Connection, number: str) -> sqlite3.Row:
    wanted = int(number) if re.fullmatch("[0-9]{1,9}", number) else -1
    order: sqlite3.Row | None = connection.execute("SELECT * FROM orders WHERE number = ?", (wanted,)).fetchone()
    if order is None:
        raise HTTPException(404, "no such order")
    return order


def public(order: sqlite3.Row) -> dict[str, Any]:
    """What anyone who knows the number may see: nothing of the customer."""
    return {
        "number": str(order["number"]),
        "state": order["state"],
        "placed_on": order["placed_on"],
        "items": json.loads(order["items"]),
        "total": f"{order['total_cents'] / 100:.2f}",
        "currency": "EUR",
        "carrier": order["carrier"],
        "tracking": order["tracking"],
        "eta": order["eta"],
    }


def show_order(connection: sqlite3.Connection, request: Request, _body: Body) -> Answer:
    return 200, public(find_order(connection, request.path_params["number"]))


def verify_order(connection: sqlite3.Connection, request: Request, body: Body) -> Answer:
    """Is `fact` the e-mail on the order, or the ending (4 digits) of its phone? Ten wrong ones an hour lock it."""
    order = find_order(connection, request.path_params["number"])
    recent = (order["number"], time.time() - WRONG_FACTS_WINDOW_S)
    wrong = connection.execute("SELECT count(*) FROM wrong_facts WHERE number = ? AND at > ?", recent).fetchone()[0]
    if wrong >= WRONG_FACTS_LIMIT:
        raise HTTPException(429, "too many wrong facts for this order")
    by = proven_by(order, text_of(body, "fact", 200).lower().strip(" .,;:!"))
    if by is None:
        connection.execute("INSERT INTO wrong_facts VALUES (?, ?)", (order["number"], time.time()))
        return 200, {"verified": False}
    return 200, {"verified": True, "by": by}


def proven_by(order: sqlite3.Row, fact: str) -> str | None:
    if "@" in fact:
        return "email" if hmac.compare_digest(fact.encode(), order["email"].encode()) else None
    digits, phone = re.sub(r"\D", "", fact), re.sub(r"\D", "", order["phone"])
    return "phone" if len(digits) >= 4 and hmac.compare_digest(digits[-4:], phone[-4:]) else None


def cancel_order(connection: sqlite3.Connection, request: Request, _body: Body) -> Answer:
    order = find_order(connection, request.path_params["number"])
    if order["state"] == "cancelled":
        return 410, {"error": "already_cancelled"}
    if order["state"] not in ("processing", "packed"):
        return 409, {"error": "not_cancellable", "state": order["state"]}
    connection.execute("UPDATE orders SET state = 'cancelled', eta = NULL WHERE number = ?", (order["number"],))
    refund = f"{order['total_cents'] / 100:.2f}"
    return 200, {"number": str(order["number"]), "state": "cancelled", "refund": refund, "currency": "EUR"}


def open_ticket(connection: sqlite3.Connection, _request: Request, body: Body) -> Answer:
    kind, summary = text_of(body, "kind", 40), text_of(body, "summary", 2000)
    optional = [str(body.get(name) or "")[:100] or None for name in ("order_number", "lang", "conversation")]
    cursor = connection.execute(
        "INSERT INTO tickets (kind, summary, order_number, lang, conversation, opened_at) VALUES (?, ?, ?, ?, ?, ?)",
        (kind, summary, *optional, time.time()),
    )
    return 201, {"ticket": f"T-{20000 + (cursor.lastrowid or 0)}", "state": "open"}


def show_ticket(connection: sqlite3.Connection, request: Request, _body: Body) -> Answer:
    wanted = re.fullmatch(r"T-(\d{5,9})", request.path_params["ticket"])
    number = int(wanted[1]) - 20000 if wanted else -1
    found = connection.execute(
        "SELECT kind, summary, order_number, lang FROM tickets WHERE id = ?", (number,)
    ).fetchone()
    if found is None:
        raise HTTPException(404, "no such ticket")
    return 200, {"ticket": f"T-{20000 + number}", "state": "open", **dict(found)}


def show_answer(connection: sqlite3.Connection, request: Request, _body: Body) -> Answer:
    """What a write answered under its Idempotency-Key, changing nothing."""
    key = request.query_params.get("key", "")
    known = connection.execute("SELECT status, body FROM answers WHERE key = ?", (key,)).fetchone()
    return (known["status"], json.loads(known["body"])) if known else (200, {"known": False})


def text_of(body: Mapping[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise HTTPException(422, f"{name}: a text of 1 to {limit} characters is needed")
    return value


def endpoint(
    connection: sqlite3.Connection, token: str, handler: Handler, *, write: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """Token, body, then the handler and the memory of its answer in one transaction."""

    async def answer(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        body = await read_body(request)
        with transaction(connection):
            if write:
                return once(connection, request, body, handler)
            status, content = handler(connection, request, body)
        return JSONResponse(content, status)

    return answer


def once(connection: sqlite3.Connection, request: Request, body: Mapping[str, Any], handler: Handler) -> Response:
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= 300:
        raise HTTPException(400, "an Idempotency-Key is needed")
    said = json.dumps([request.url.path, body], sort_keys=True)
    asked = hashlib.sha256(said.encode()).hexdigest()
    known = connection.execute("SELECT request, status, body FROM answers WHERE key = ?", (key,)).fetchone()
    if known is not None:
        if known["request"] != asked:
            raise HTTPException(422, "this Idempotency-Key belongs to another request")
        return JSONResponse(json.loads(known["body"]), known["status"], {"Idempotent-Replayed": "true"})
    status, content = handler(connection, request, body)
    connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (key, asked, status, json.dumps(content)))
    return JSONResponse(content, status)


async def read_body(request: Request) -> dict[str, Any]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY_LIMIT:
            raise HTTPException(413, "too large")
    try:
        body = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is no JSON object")
    return body


async def say_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def say_alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def shop_app(connection: sqlite3.Connection, token: str) -> Starlette:
    def route(path: str, handler: Handler, method: str = "GET", *, write: bool = False) -> Route:
        return Route(path, endpoint(connection, token, handler, write=write), methods=[method])

    routes = [
        Route("/healthz", say_alive),
        route("/orders/{number}", show_order),
        route("/orders/{number}/verify", verify_order, "POST"),
        route("/orders/{number}/cancel", cancel_order, "POST", write=True),
        route("/tickets", open_ticket, "POST", write=True),
        route("/tickets/{ticket}", show_ticket),
        route("/answers", show_answer),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: say_error})


def read_token(path: Path) -> str:
    """The token in the file; a new one, for its owner only, where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="SQLite file; made and filled where there is none")
    parser.add_argument(
        "--token-file", type=Path, help="made where there is none; default: shop.token beside the database"
    )
    options = parser.parse_args()
    options.database.parent.mkdir(parents=True, exist_ok=True)
    token = read_token(options.token_file or options.database.with_name("shop.token"))
    connection = open_database(options.database, date.today())
    uvicorn.run(shop_app(connection, token), host=HOST, port=options.port, log_level="warning", access_log=False)
    connection.close()


if __name__ == "__main__":
    main()
