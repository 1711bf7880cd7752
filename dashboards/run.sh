#!/bin/sh
# Starts Keyward, Prometheus and Alertmanager on this machine without containers, and ends them together.
#   apt install prometheus prometheus-alertmanager
#   dashboards/run.sh [arguments for `keyward dev`]
#
# What differs from the files of this folder is set by variables:
#   KEYWARD, PROMETHEUS, ALERTMANAGER        programs, if they are not on the path
#   KEYWARD_AT, PROMETHEUS_AT, ALERTMANAGER_AT   addresses to listen on
#   INTERVAL                                 between two scrapes and two evaluations
#   RULES                                    the folder of the rules
#   ALERTMANAGER_CONFIG                      another file than alertmanager/alertmanager.yml
#   ALERT_SETTINGS                           a file with the detectors' settings: [alerts.settings] and its tables
#   SEED                                     another seed file than demo.yaml, which knows who `keyward demo` plays
#   RUN_DIR                                  where everything is written; a temporary folder unless said
set -eu
here=$(cd "$(dirname "$0")" && pwd)
KEYWARD_AT=${KEYWARD_AT:-127.0.0.1:8480}
PROMETHEUS_AT=${PROMETHEUS_AT:-127.0.0.1:9090}
ALERTMANAGER_AT=${ALERTMANAGER_AT:-127.0.0.1:9093}
RULES=${RULES:-$here/prometheus/rules}
ALERTMANAGER_CONFIG=${ALERTMANAGER_CONFIG:-$here/alertmanager/alertmanager.yml}

find_program() {
  for name in "$@"; do
    if command -v "$name" >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  echo "$1 is not on the path; on Debian: apt install prometheus prometheus-alertmanager" >&2
  exit 2
}
KEYWARD=${KEYWARD:-$(find_program keyward "$here/../target/release/keyward" "$here/../target/debug/keyward")}
PROMETHEUS=${PROMETHEUS:-$(find_program prometheus)}
# Debian calls it so; everybody else calls it alertmanager.
ALERTMANAGER=${ALERTMANAGER:-$(find_program prometheus-alertmanager alertmanager)}

made=
if [ -z "${RUN_DIR:-}" ]; then
  RUN_DIR=$(mktemp -d)
  made=$RUN_DIR
fi
mkdir -p "$RUN_DIR"
RUN_DIR=$(cd "$RUN_DIR" && pwd)
sed -e "s|127.0.0.1:8480|$KEYWARD_AT|; s|127.0.0.1:9093|$ALERTMANAGER_AT|; s|15s|${INTERVAL:-15s}|; s|- rules/|- $RULES/|" \
  "$here/prometheus/prometheus.yml" > "$RUN_DIR/prometheus.yml"

# What Keyward's own detectors find goes to the same Alertmanager as what the rules find.
{
  [ -z "${ALERT_SETTINGS:-}" ] || cat "$ALERT_SETTINGS"
  printf '[[alerts.alertmanagers]]\nurl = "http://%s"\n' "$ALERTMANAGER_AT"
} > "$RUN_DIR/alerts.toml"

running=
end() {
  trap - EXIT INT TERM
  # shellcheck disable=SC2086
  kill $running 2>/dev/null || true
  wait
  [ -z "$made" ] || rm -rf "$made"
}
trap end EXIT
trap 'exit 0' INT TERM

"$KEYWARD" dev --listen "$KEYWARD_AT" --metrics-names --seed "${SEED:-$here/demo.yaml}" --alerts "$RUN_DIR/alerts.toml" "$@" > "$RUN_DIR/keyward.log" 2>&1 &
running="$running $!"
"$ALERTMANAGER" --config.file="$ALERTMANAGER_CONFIG" --web.listen-address="$ALERTMANAGER_AT" \
  --cluster.listen-address= --storage.path="$RUN_DIR/alertmanager" > "$RUN_DIR/alertmanager.log" 2>&1 &
running="$running $!"
"$PROMETHEUS" --config.file="$RUN_DIR/prometheus.yml" --web.listen-address="$PROMETHEUS_AT" \
  --storage.tsdb.path="$RUN_DIR/prometheus" --enable-feature=exemplar-storage > "$RUN_DIR/prometheus.log" 2>&1 &
running="$running $!"

echo "Keyward       http://$KEYWARD_AT"
echo "Prometheus    http://$PROMETHEUS_AT/alerts"
echo "Alertmanager  http://$ALERTMANAGER_AT"
echo "Logs          $RUN_DIR/*.log"
echo "See it work   keyward demo --endpoint http://$KEYWARD_AT"

# As soon as one of them is gone, all end.
while :; do
  for process in $running; do
    if ! kill -0 "$process" 2>/dev/null; then
      echo "a program ended; see $RUN_DIR/*.log" >&2
      made=
      exit 1
    fi
  done
  sleep 1
done
