"""Load by wrk: one thread for each server, kept connections, a closed loop."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Load:
    """The result of one run."""
    rate: float    # answers with 2xx, a second
    p50_ms: float
    p99_ms: float
    refused: int   # answers with another status
    broken: int    # connections and timeouts


def parse(output):
    """Converts wrk's output with report.lua's line to a Load."""
    line = next((line for line in output.splitlines() if line.startswith("REPORT ")), None)
    if line is None:
        raise RuntimeError(f"wrk said nothing to build on: {output[-500:]}")
    report = json.loads(line.removeprefix("REPORT "))
    return Load((report["requests"] - report["refused"]) / report["seconds"], report["p50_ms"], report["p99_ms"],
                report["refused"], report["broken"])


def run(port, path, connections, seconds, script="", arguments=(), others=(), timeout_s=2):
    """One run against loopback; `script` is lua that prepares the requests. `others` are the ports of more servers,
    which share the connections. An answer that takes longer than `timeout_s` counts as broken."""
    ports = (port, *others)[:connections]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        targets = ", ".join(map(str, ports))
        lua.write(f"local ports = {{{targets}}}\n" + (HERE / "servers.lua").read_text() + script +
                  (HERE / "report.lua").read_text())
        lua.flush()
        outcome = subprocess.run(["wrk", f"-t{len(ports)}", f"-c{connections}", f"-d{seconds}s", f"--timeout={timeout_s}s",
                                  "-s", lua.name, f"http://127.0.0.1:{port}{path}", "--", *arguments],
                                 capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise RuntimeError(f"wrk failed: {outcome.stderr or outcome.stdout}")
    return parse(outcome.stdout)


def transfers(port, shape, connections, seconds, others=(), timeout_s=2):
    """Works with any service that has POST /transfer: shape is "spread" or "hot"."""
    return run(port, "/", connections, seconds, (HERE / "transfers.lua").read_text(), [shape], others, timeout_s)
