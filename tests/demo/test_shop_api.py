import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.demo.shop import Shop, shop

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Shop]:
    with shop(folder) as started:
        yield started


@pytest.fixture
def client(running: Shop) -> Iterator[httpx2.Client]:
    with running.client() as connected:
        yield connected


def secrets_of(folder: Path, number: int) -> sqlite3.Row:
    connection = sqlite3.connect(folder / "shop.db")
    connection.row_factory = sqlite3.Row
    try:
        row: sqlite3.Row = connection.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
        return row
    finally:
        connection.close()


def numbers_in(folder: Path, *states: str) -> list[int]:
    connection = sqlite3.connect(folder / "shop.db")
    try:
        marks = ", ".join("?" * len(states))
        return [row[0] for row in connection.execute(f"SELECT number FROM orders WHERE state IN ({marks})", states)]  # noqa: S608
    finally:
        connection.close()


def write(client: httpx2.Client, path: str, key: str, body: dict[str, Any] | None = None) -> httpx2.Response:
    return client.post(path, json=body or {}, headers={"Idempotency-Key": key})


def test_there_are_240_orders_of_every_state_and_1042_is_open(client: httpx2.Client) -> None:
    orders = [client.get(f"/orders/{number}") for number in range(1001, 1241)]
    assert {answer.status_code for answer in orders} == {200}
    states = {answer.json()["state"] for answer in orders}
    assert states == {"processing", "packed", "shipped", "delivered", "cancelled", "returned"}
    assert client.get("/orders/1042").json()["state"] == "processing"
    assert client.get("/orders/1000").status_code == client.get("/orders/1241").status_code == 404


def test_the_status_reveals_nothing_of_the_customer(client: httpx2.Client, folder: Path) -> None:
    for number in (1042, 1100, 1200):
        order, text = secrets_of(folder, number), client.get(f"/orders/{number}").text
        assert not any(order[field] in text for field in ("name", "email", "phone", "address"))


def test_without_the_token_nothing_is_told(running: Shop) -> None:
    with running.client("wrong") as stranger:
        assert stranger.get("/orders/1042").status_code == 401
        assert stranger.post("/tickets", json={}).status_code == 401
        assert stranger.get("/answers", params={"key": "t1:cancel"}).status_code == 401
        assert stranger.get("/healthz").status_code == 200
    assert running.token_file.stat().st_mode & 0o077 == 0


def test_a_second_fact_is_checked(client: httpx2.Client, folder: Path) -> None:
    order = secrets_of(folder, 1043)

    def verify(fact: Any) -> httpx2.Response:
        return client.post("/orders/1043/verify", json={"fact": fact})

    digits = "".join(character for character in order["phone"] if character.isdigit())
    assert verify(digits[-4:]).json() == {"verified": True, "by": "phone"}
    assert verify(order["phone"]).json()["verified"] is True
    assert verify(f" {order['email'].upper()}. ").json() == {"verified": True, "by": "email"}
    assert verify(digits[-3:]).json() == {"verified": False}
    assert verify("someone@mail.example").json() == {"verified": False}
    assert verify(4711).status_code == verify("").status_code == 422


def test_guessing_locks_an_order(client: httpx2.Client, folder: Path) -> None:
    for _ in range(10):
        assert client.post("/orders/1044/verify", json={"fact": "wrong@x.example"}).json() == {"verified": False}
    locked = client.post("/orders/1044/verify", json={"fact": secrets_of(folder, 1044)["email"]})
    assert locked.status_code == 429


def test_an_order_is_cancelled_once_and_the_same_key_answers_the_same(client: httpx2.Client, folder: Path) -> None:
    number = numbers_in(folder, "packed")[0]
    first = write(client, f"/orders/{number}/cancel", "t1:cancel")
    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    again = write(client, f"/orders/{number}/cancel", "t1:cancel")
    assert (again.status_code, again.json()) == (200, first.json())
    assert write(client, f"/orders/{number}/cancel", "t2:cancel").status_code == 410
    assert write(client, "/orders/1001/cancel", "t1:cancel").status_code == 422, "the key belongs to another request"
    assert client.get(f"/orders/{number}").json()["state"] == "cancelled"


def test_what_a_write_answered_is_told_by_its_key(client: httpx2.Client, folder: Path) -> None:
    number = numbers_in(folder, "packed")[0]

    def answer_to(key: str) -> httpx2.Response:
        return client.get("/answers", params={"key": key})

    assert (answer_to("a1:x").status_code, answer_to("a1:x").json()) == (200, {"known": False})
    assert client.get(f"/orders/{number}").json()["state"] == "packed", "to ask changes nothing"
    first = write(client, f"/orders/{number}/cancel", "a1:x")
    assert (answer_to("a1:x").status_code, answer_to("a1:x").json()) == (200, first.json())
    assert write(client, f"/orders/{number}/cancel", "a2:x").status_code == answer_to("a2:x").status_code == 410
    assert write(client, "/orders/9999/cancel", "a3:x").status_code == 404
    assert answer_to("a3:x").json() == {"known": False}
    assert client.get("/answers").json() == {"known": False}


def test_what_has_left_is_not_cancelled(client: httpx2.Client, folder: Path) -> None:
    number = numbers_in(folder, "shipped")[0]
    assert write(client, f"/orders/{number}/cancel", "t3:cancel").status_code == 409
    assert client.get(f"/orders/{number}").json()["state"] == "shipped"


def test_a_write_needs_a_key_and_a_sound_body(client: httpx2.Client) -> None:
    assert client.post("/tickets", json={"kind": "human", "summary": "x"}).status_code == 400
    assert write(client, "/tickets", "t4", {"kind": "human"}).status_code == 422
    assert client.post("/tickets", content=b"{", headers={"Idempotency-Key": "t5"}).status_code == 400
    assert client.post("/tickets", content=b"[" * 20_000, headers={"Idempotency-Key": "t6"}).status_code == 413
    assert client.get("/nowhere").status_code == 404


def test_a_ticket_is_opened_once_and_found_again(client: httpx2.Client) -> None:
    body = {"kind": "complaint", "summary": "帐篷破了", "order_number": "1042", "lang": "zh"}
    opened = write(client, "/tickets", "t7", body)
    assert opened.status_code == 201
    ticket = opened.json()["ticket"]
    assert write(client, "/tickets", "t7", body).json()["ticket"] == ticket
    assert write(client, "/tickets", "t8", body).json()["ticket"] != ticket
    assert client.get(f"/tickets/{ticket}").json()["summary"] == "帐篷破了"
    assert client.get("/tickets/T-99999").status_code == client.get("/tickets/x").status_code == 404


def test_a_restart_forgets_neither_orders_nor_keys(tmp_path: Path) -> None:
    with shop(tmp_path) as first, first.client() as client:
        assert write(client, "/orders/1042/cancel", "k").status_code == 200
    with shop(tmp_path) as second, second.client() as client:
        assert client.get("/orders/1042").json()["state"] == "cancelled"
        assert write(client, "/orders/1042/cancel", "k").status_code == 200
        assert write(client, "/orders/1042/cancel", "other").status_code == 410


def test_the_seed_is_the_same_every_time(tmp_path: Path, folder: Path, running: Shop) -> None:
    with shop(tmp_path):
        for number in (1001, 1107, 1240):
            fresh, other = secrets_of(tmp_path, number), secrets_of(folder, number)
            assert [fresh[field] for field in ("items", "email", "phone", "placed_on")] == [
                other[field] for field in ("items", "email", "phone", "placed_on")
            ]
