"""libpq itself, by ctypes: simple and extended queries, prepared statements, text and binary values."""

import ctypes
import ctypes.util
import struct

_pq = ctypes.CDLL(ctypes.util.find_library("pq"))
for _name in ("PQconnectdb", "PQexec", "PQexecParams", "PQprepare", "PQexecPrepared"):
    getattr(_pq, _name).restype = ctypes.c_void_p
for _name in ("PQgetvalue", "PQresultErrorField", "PQcmdTuples", "PQerrorMessage"):
    getattr(_pq, _name).restype = ctypes.c_void_p
INT8, TEXT = 20, 25


class Refused(Exception):
    """The server has refused the statement; the text is its SQLSTATE."""


class Connection:
    def __init__(self, url):
        self._connection = ctypes.c_void_p(_pq.PQconnectdb(url.encode()))
        assert _pq.PQstatus(self._connection) == 0, ctypes.string_at(_pq.PQerrorMessage(self._connection))
        self.backend = _pq.PQbackendPID(self._connection)
        self._prepared = {}

    def close(self):
        _pq.PQfinish(self._connection)

    def _rows(self, pointer, is_binary):
        result = ctypes.c_void_p(pointer)
        try:
            status = _pq.PQresultStatus(result)
            if status not in (1, 2):  # PGRES_COMMAND_OK, PGRES_TUPLES_OK
                state = _pq.PQresultErrorField(result, ord("C"))
                message = _pq.PQresultErrorField(result, ord("M"))
                raise Refused(ctypes.string_at(state).decode() if state else "08006",
                              ctypes.string_at(message).decode() if message else "")
            return [tuple(self._value(result, row, column, is_binary) for column in range(_pq.PQnfields(result)))
                    for row in range(_pq.PQntuples(result))]
        finally:
            _pq.PQclear(result)

    @staticmethod
    def _value(result, row, column, is_binary):
        if _pq.PQgetisnull(result, row, column):
            return None
        data = ctypes.string_at(_pq.PQgetvalue(result, row, column), _pq.PQgetlength(result, row, column))
        if not is_binary:
            return data.decode()
        oid = _pq.PQftype(result, column)
        integers = {20: ">q", 23: ">i", 26: ">I"}
        return str(struct.unpack(integers[oid], data)[0]) if oid in integers else data.decode(errors="replace")

    def simple(self, sql):
        return self._rows(_pq.PQexec(self._connection, sql.encode()), False)

    def extended(self, sql, values=(), is_binary=False, is_prepared=False):
        """Integers are int8, in binary if is_binary, and so is the result."""
        count = len(values)
        data = [struct.pack(">q", each) if is_binary and isinstance(each, int) else str(each).encode()
                for each in values]
        types = (ctypes.c_uint * count)(*(INT8 if isinstance(each, int) else TEXT for each in values))
        texts = (ctypes.c_char_p * count)(*data)
        lengths = (ctypes.c_int * count)(*map(len, data))
        formats = (ctypes.c_int * count)(*(int(is_binary and isinstance(each, int)) for each in values))
        if not is_prepared:
            return self._rows(_pq.PQexecParams(self._connection, sql.encode(), count, types, texts, lengths, formats,
                                               int(is_binary)), is_binary)
        kinds = (sql, tuple(map(type, values)))
        if kinds not in self._prepared:
            name = f"s{len(self._prepared)}".encode()
            self._rows(_pq.PQprepare(self._connection, name, sql.encode(), count, types), False)
            self._prepared[kinds] = name
        return self._rows(_pq.PQexecPrepared(self._connection, self._prepared[kinds], count, texts, lengths, formats,
                                             int(is_binary)), is_binary)
