"""HTTP as a well-behaved client uses it: keep-alive connections, JSON with exact decimals."""

import concurrent.futures
import decimal
import http.client
import json

from pace import HANG_GUARD

JSON_TYPE = {"Content-Type": "application/json"}


class Answer:
    """One complete HTTP answer."""

    def __init__(self, status, headers, body, version=11):
        self.status = status
        self.headers = headers  # case-insensitive
        self.body = body
        self.version = version

    def json(self):
        """The body; numbers with a point become Decimal, so that money compares exactly."""
        return json.loads(self.body.decode("utf-8"), parse_float=decimal.Decimal)

    def text(self):
        return self.body.decode("utf-8")

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Client:
    """One keep-alive connection; http.client opens it again after the server has closed it."""

    def __init__(self, port, host="127.0.0.1"):
        self._connection = http.client.HTTPConnection(host, port, timeout=HANG_GUARD)

    def request(self, method, target, body=None, headers=None):
        if isinstance(body, str):
            body = body.encode("utf-8")
        self._connection.request(method, target, body=body, headers=headers or {})
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read(), response.version)

    def get(self, target, **headers):
        return self.request("GET", target, headers={key.replace("_", "-"): value for key, value in headers.items()})

    def post(self, target, value=None):
        """POST with `value` as JSON, or without a body."""
        if value is None:
            return self.request("POST", target)
        return self.request("POST", target, json.dumps(value, default=str), JSON_TYPE)

    def transfer(self, source, target, amount, strategy=None):
        """Sends a transfer; `amount` is written into the JSON as the given text."""
        return self.request("POST", "/transfer", transfer_body(source, target, amount, strategy), JSON_TYPE)

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def transfer_body(source, target, amount, strategy=None):
    """The JSON of a transfer, with the amount literally as given, and with a strategy if one is named."""
    own = f', "strategy": {json.dumps(strategy)}' if strategy else ""
    return f'{{"from_account": {json.dumps(source)}, "to_account": {json.dumps(target)}, "amount": {amount}{own}}}'


def together(*calls):
    """Runs the calls at the same time, each on its own thread; returns their results in order."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]
