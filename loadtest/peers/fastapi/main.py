"""The safe transfer in usual Python: FastAPI and asyncpg. DATABASE_URL names the database."""

import contextlib
import datetime
import decimal
import os
import secrets
import time

import asyncpg
import fastapi
import pydantic

LOCK = 'SELECT id, balance FROM accounts WHERE id IN ($1, $2) ORDER BY id COLLATE "C" FOR UPDATE'
DEDUCT = "UPDATE accounts SET balance = balance - $2, version = version + 1 WHERE id = $1 RETURNING balance"
CREDIT = "UPDATE accounts SET balance = balance + $2, version = version + 1 WHERE id = $1 RETURNING balance"
RECORD = """INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
    from_balance_before, from_balance_after, to_balance_before, to_balance_after,
    status, thread_id, duration_ms, strategy, race_detected, steps)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'python', $11, 'for_update', false, '[]')"""


@contextlib.asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=32, max_size=32) as pool:
        app.state.pool = pool
        yield


app = fastapi.FastAPI(lifespan=lifespan)


class Order(pydantic.BaseModel):
    from_account: str
    to_account: str
    amount: decimal.Decimal = pydantic.Field(gt=0, decimal_places=2)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/transfer")
async def transfer(order: Order):
    started = time.monotonic()
    now = datetime.datetime.now(datetime.timezone.utc)
    async with app.state.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(LOCK, order.from_account, order.to_account)
        balances = {row["id"]: row["balance"] for row in rows}
        if len(balances) != 2:
            raise fastapi.HTTPException(404, "no such account")
        from_before, to_before = balances[order.from_account], balances[order.to_account]
        from_after, to_after, status = from_before, to_before, "failed_insufficient_funds"
        if from_before >= order.amount:
            status = "success"
            from_after = await connection.fetchval(DEDUCT, order.from_account, order.amount)
            to_after = await connection.fetchval(CREDIT, order.to_account, order.amount)
        transfer_id = secrets.token_hex(4)
        duration_ms = decimal.Decimal(f"{(time.monotonic() - started) * 1000:.3f}")
        await connection.execute(RECORD, transfer_id, now, order.from_account, order.to_account, order.amount,
                                 from_before, from_after, to_before, to_after, status, duration_ms)
    return {"id": transfer_id, "timestamp": now, "from_account": order.from_account, "to_account": order.to_account,
            "amount": float(order.amount), "from_balance_before": float(from_before),
            "from_balance_after": float(from_after), "to_balance_before": float(to_before),
            "to_balance_after": float(to_after), "status": status, "duration_ms": float(duration_ms)}
