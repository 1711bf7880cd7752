"""Keyward under scripted load, watched by Debian's Prometheus and Alertmanager: an alert of a rule and one of Keyward's
own detectors reach a webhook once each, and their ends do; every query of every board and rule has an answer.

`dashboards/run.sh` starts all three, as it does for anybody. A minute of the rules is a second here, so that a day of
baseline takes 24 minutes and a test less than three.
"""

import http.server
import json
import math
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

DASHBOARDS = pathlib.Path(os.environ["KEYWARD_DASHBOARDS"])
DEBIAN = pathlib.Path(os.environ["KEYWARD_DEBIAN"])
KEYWARD = os.environ["KEYWARD_BINARY"]
INTERVAL = "1s"
PATIENCE_SECONDS = 60
UNITS = {"m": "s", "h": "m"}
MINUTES_OF_DAY = 24 * 60


def scaled(text):
    """Times of rules, sixty times shorter."""

    def shorter(match):
        number, unit = match.groups()
        return f"{int(number) * MINUTES_OF_DAY}s" if unit == "d" else number + UNITS[unit]

    return re.sub(r"(?<![\w])(\d+)([mhd])\b", shorter, text)


def until(what, ask, seconds=PATIENCE_SECONDS):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except OSError:
        return None


class Receiver:
    """What Alertmanager tells."""

    def __init__(self):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def of(self, alert):
        return [one["status"] for one in self.told if one["groupLabels"].get("alertname") == alert]


class Watched:
    """The three programs, as `run.sh` starts them."""

    def __init__(self, folder):
        self.folder = folder
        self.receiver = Receiver()
        rules = folder / "rules"
        rules.mkdir()
        for name in ["recording.yml", "alerts.yml"]:
            text = (DASHBOARDS / "prometheus/rules" / name).read_text()
            lines = [scaled(line) if not re.match(r"\s+(summary|description):", line) else line for line in text.splitlines()]
            (rules / name).write_text("\n".join(lines) + "\n")
        config = folder / "alertmanager.yml"
        config.write_text(f"""
route:
  receiver: webhook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes: [{{receiver: nobody, matchers: ['alertname = "Watchdog"']}}]
receivers:
  - name: nobody
  - name: webhook
    webhook_configs: [{{url: "{self.receiver.url}", send_resolved: true}}]
""")
        # A minute is the detectors' smallest time: what a single event shows stands as long.
        settings = folder / "settings.toml"
        settings.write_text("[alerts.settings.novelty]\nhold_minutes = 1\n")
        at = [f"127.0.0.1:{free_port()}" for _ in range(3)]
        self.keyward, self.prometheus, self.alertmanager = (f"http://{one}" for one in at)
        environment = os.environ | {
            "KEYWARD": KEYWARD,
            "PROMETHEUS": str(DEBIAN / "prometheus"),
            "ALERTMANAGER": str(DEBIAN / "alertmanager"),
            "KEYWARD_AT": at[0],
            "PROMETHEUS_AT": at[1],
            "ALERTMANAGER_AT": at[2],
            "INTERVAL": INTERVAL,
            "RULES": str(rules),
            "ALERTMANAGER_CONFIG": str(config),
            "ALERT_SETTINGS": str(settings),
            "RUN_DIR": str(folder / "run"),
        }
        self.process = subprocess.Popen([DASHBOARDS / "run.sh", "--checkpoint-seconds", "2"], env=environment)

    def __enter__(self):
        try:
            for url in [f"{self.keyward}/readyz", f"{self.prometheus}/-/ready", f"{self.alertmanager}/-/ready"]:
                until(f"{url} answers", lambda url=url: fetch(url))
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        if kind:
            for log in sorted((self.folder / "run").glob("*.log")):
                print(f"== {log.name}\n{log.read_text()[-3000:]}")

    def demo(self, *arguments):
        subprocess.run([KEYWARD, "demo", "--endpoint", self.keyward, *arguments], check=True)

    def ask(self, path, **parameters):
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def series(self, query, since):
        """Those that have a number in this time."""
        found = self.ask("query_range", query=query, start=since, end=time.time(), step="2s")["result"]
        return [one for one in found if any(math.isfinite(float(value)) for _, value in one["values"])]

    def firing(self, alert):
        query = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
        return bool(self.ask("query", query=query)["result"])


def names(query):
    return set(re.findall(r"\b(?:kms|process)[_:][a-z0-9_:]+", query))


def filled(query):
    values = {"$__rate_interval": "10s", "$__range": "5m", "$job": ".+", "$instance": ".+", "$key": ".+", "$principal": ".+"}
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query, query
    return query


def an_alert_fires_once_and_resolves_once(watched):
    """A flood of Decrypts after a quiet past."""
    # Traffic follows the hour of the day. At this pace it stays below the alert's floor of 100 a minute at any of them, so that
    # a machine which stalls and catches up makes no spike of it.
    watched.demo("--quiet", "--minutes", "0.6", "--pace", "20", "--seed", "1")
    assert watched.receiver.of("DecryptSpike") == [], "the past was quiet"
    watched.demo("--incidents", "decrypt-flood", "--minutes", "0.3", "--pace", "150", "--seed", "2")
    until("the flood is told", lambda: watched.receiver.of("DecryptSpike"))
    until("its end is told", lambda: len(watched.receiver.of("DecryptSpike")) == 2)
    # Had it flapped, more would come while the next incidents happen; it is looked at again then.
    assert watched.receiver.of("DecryptSpike") == ["firing", "resolved"]
    told = next(one for one in watched.receiver.told if one["groupLabels"]["alertname"] == "DecryptSpike")
    (alert,) = told["alerts"]
    assert alert["labels"]["operation"] == "Decrypt" and alert["labels"]["severity"] == "critical", alert
    assert alert["annotations"]["runbook_url"].endswith("#decryptspike"), alert


def every_incident_is_told(watched):
    """What is done to keys is told while it is done."""
    incidents = "stolen-role,enumeration,cross-account-grant,ransom"
    watched.demo("--incidents", incidents, "--minutes", "0.5", "--pace", "150", "--seed", "3")
    for alert in ["KeyPolicyChanged", "KeyMaterialDeleted", "KeyDisabled", "KeyDeletionScheduled", "CiphertextErrors"]:
        until(f"{alert} is told", lambda alert=alert: "firing" in watched.receiver.of(alert))


def a_detectors_alert_fires_once_and_resolves_once(watched):
    """Keyward tells Alertmanager itself: a key policy was opened, a minute passes, and it is over."""
    alert = "KeywardPolicyOpened"
    until("Keyward's own alert is told", lambda: watched.receiver.of(alert))
    until("its end is told", lambda: len(watched.receiver.of(alert)) == 2, seconds=120)
    assert watched.receiver.of(alert) == ["firing", "resolved"], watched.receiver.of(alert)
    for told in [one for one in watched.receiver.told if one["groupLabels"]["alertname"] == alert]:
        (one,) = told["alerts"]
        labels, annotations = one["labels"], one["annotations"]
        assert (labels["detector"], labels["severity"]) == ("policy_opened", "critical"), one
        assert labels["key"].startswith("arn:aws:kms:") and labels["account"] in labels["key"], one
        assert annotations["alert_id"].startswith("alert-") and "op:PutKeyPolicy" in annotations["query"], one
        # The time is the event's, not that of the message.
        assert one["startsAt"] < one["endsAt"] or told["status"] == "firing", one
    told = json.loads(fetch(f"{watched.alertmanager}/api/v2/alerts"))
    assert alert not in [one["labels"]["alertname"] for one in told], "Alertmanager has it no more"


def every_query_has_an_answer(watched, since):
    """Panels, variables, annotations and rules."""
    empty, asked = [], 0
    for path in sorted((DASHBOARDS / "grafana").glob("*.json")):
        board = json.loads(path.read_text())
        queries = [
            (f"{path.name}: {panel['title']}", target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])
        ]
        queries += [(f"{path.name}: annotation {one['name']}", one["expr"]) for one in board["annotations"]["list"]]
        queries += [
            (f"{path.name}: variable {one['name']}", re.fullmatch(r"label_values\((.*), \w+\)", one["query"])[1])
            for one in board["templating"]["list"]
            if one["type"] == "query"
        ]
        for place, query in queries:
            asked += 1
            if not watched.series(filled(query), since):
                empty.append(f"{place}: {query}")
    groups = watched.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 40, len(rules)
    for rule in rules:
        asked += 1
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
        watched.series(rule["query"], since)
        if rule["type"] == "recording" and not watched.series(rule["name"], since):
            empty.append(f"rule {rule['name']}")
        for name in names(rule["query"]):
            if not watched.series(name, since):
                empty.append(f"rule {rule['name']}: {name}")
    assert not empty, "\n".join(["without an answer:", *empty])
    return asked


# Who acts in the demonstration from elsewhere, as dashboards/demo.yaml has it: its events are in its own account's log.
STRANGER = {"AWS_ACCESS_KEY_ID": "AKIASTRANGER00000000", "AWS_SECRET_ACCESS_KEY": "secret-of-a-stranger-for-demonstrations-only"}


def event_of(watched, event):
    """An event as the account that it is of reads it."""
    for account in ({}, STRANGER):
        command = [KEYWARD, "events", "show", event, "-o", "json", "--endpoint", watched.keyward]
        shown = subprocess.run(command, env={**os.environ, **account}, capture_output=True, text=True)
        if shown.returncode == 0:
            return json.loads(shown.stdout)
    raise AssertionError(f"no account has the event {event}: {shown.stderr}")


def a_point_of_a_graph_leads_to_its_event(watched, since):
    """Prometheus keeps the ids of events beside the durations of requests; the log has each of them."""
    found = watched.ask("query_exemplars", query="kms_request_duration_seconds_bucket", start=since, end=time.time())
    ids = [(one["labels"]["event_id"], series["seriesLabels"]["operation"]) for series in found for one in series["exemplars"]]
    assert len(ids) > 100, len(ids)
    for event, operation in ids[:: len(ids) // 10]:
        shown = event_of(watched, event)
        assert shown["eventName"] == operation, shown


def main():
    with tempfile.TemporaryDirectory() as folder, Watched(pathlib.Path(folder)) as watched:
        since = time.time()
        an_alert_fires_once_and_resolves_once(watched)
        every_incident_is_told(watched)
        a_detectors_alert_fires_once_and_resolves_once(watched)
        asked = every_query_has_an_answer(watched, since)
        a_point_of_a_graph_leads_to_its_event(watched, since)
        assert watched.receiver.of("DecryptSpike")[:2] == ["firing", "resolved"]
        print(f"{asked} queries have an answer, {len(watched.receiver.told)} notifications were told")


main()
