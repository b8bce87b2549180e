"""A wallet on SQLAlchemy and asyncpg. It takes DATABASE_URL; it knows no proxy.
Started by: uvicorn wallet:application"""

import os

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

engine = create_async_engine(make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg"), pool_size=4,
                             connect_args={"server_settings": {"statement_timeout": "30s"}})
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class OtherBase(DeclarativeBase):
    pass


class Wallet(Base):
    __tablename__ = "wallets"
    id: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[int]


class VersionedWallet(OtherBase):
    __tablename__ = "wallets"
    id: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


async def take(key, amount, mapped, **options):
    async with sessions.begin() as session:
        wallet = await session.get_one(mapped, key, **options)
        if wallet.balance < amount:
            return False
        wallet.balance -= amount
    return True


async def plain(key, amount):
    return await take(key, amount, Wallet)


async def lock(key, amount):
    return await take(key, amount, Wallet, with_for_update=True)


async def version(key, amount):
    try:
        return await take(key, amount, VersionedWallet)
    except StaleDataError:
        return False


HOW = {"plain": plain, "lock": lock, "version": version}


async def withdraw(request):
    query = request.query_params
    paid = await HOW[request.path_params["how"]](query["id"], int(query["amount"]))
    return PlainTextResponse("paid\n" if paid else "refused\n", status_code=200 if paid else 409)


application = Starlette(routes=[Route("/withdraw/{how}", withdraw, methods=["POST"])])
