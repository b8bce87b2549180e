"""Reads the dashboard's file as Grafana does."""

import json
import pathlib
import re

GRAFANA = pathlib.Path(__file__).resolve().parents[2] / "observability/grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/race-conditions-lab.json").read_text(encoding="utf-8"))

PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ANNOTATIONS = [each for each in DASHBOARD["annotations"]["list"] if not each.get("builtIn")]


def targets(kind):
    """(where, target) of every query of the panels that goes to a datasource of this kind."""
    return [(f"{panel['title']} {target['refId']}", target) for panel in PANELS for target in panel["targets"]
            if target["datasource"]["type"] == kind]


def expressions():
    """(where, PromQL) of every Prometheus query, including the annotations."""
    asked = [(where, target["expr"]) for where, target in targets("prometheus")]
    return asked + [(each["name"], each["expr"]) for each in ANNOTATIONS]


def datasource_uids():
    """The uids of the provisioned datasources."""
    text = (GRAFANA / "provisioning/datasources/lab.yml").read_text(encoding="utf-8")
    return set(re.findall(r"^    uid: (\S+)$", text, re.MULTILINE))
