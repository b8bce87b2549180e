"""Many clients that each post one transfer and honour Retry-After, all in one thread."""

import asyncio

from client import transfer_body
from pace import HANG_GUARD
from wire import request_bytes


async def read_answer(reader):
    """The status, the headers in lower case, and the body."""
    status = int((await reader.readline()).split()[1])
    headers = {}
    while (line := (await reader.readline()).rstrip(b"\r\n")):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    return status, headers, await reader.readexactly(int(headers["content-length"]))


async def post_until_done(port, start, attempts):
    """Returns the statuses of the answers, the last of which is no 503."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = request_bytes("POST", "/transfer", "Content-Type: application/json",
                            body=transfer_body("alice", "bob", "0.01").encode())
    await start.wait()
    statuses = []
    try:
        while len(statuses) < attempts:
            writer.write(request)
            status, headers, _ = await read_answer(reader)
            statuses.append(status)
            if status != 503:
                break
            await asyncio.sleep(int(headers["retry-after"]))
    finally:
        writer.close()
    return statuses


async def post_all(port, clients, attempts):
    start = asyncio.Event()
    every = [asyncio.ensure_future(post_until_done(port, start, attempts)) for _ in range(clients)]
    start.set()
    return await asyncio.gather(*every)


def post_from(port, clients, attempts):
    """The statuses that each client got. All send at once; each gives up after `attempts`."""
    return asyncio.run(asyncio.wait_for(post_all(port, clients, attempts), 10 * HANG_GUARD))
