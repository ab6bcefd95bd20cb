#!/bin/sh
# Start auditlane with Docker: make passwords, build missing images, start, wait for the tables.
#
#   deploy/compose/up.sh                       # Kafka, registry, ClickHouse, worker, ingest, query
#   deploy/compose/up.sh --profile observe     # and Prometheus, Alertmanager, Grafana
#   WORKERS=3 deploy/compose/up.sh             # three workers
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
for name in clickhouse-password grafana-password; do
    # Containers read the file as other users; on this machine, the folder keeps other users out.
    [ -s "secrets/$name" ] || head -c 24 /dev/urandom | base64 | tr -d '\n' > "secrets/$name"
    chmod 0444 "secrets/$name"
done
AUDITLANE_VERSION=${AUDITLANE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' ../../pyproject.toml)}
export AUDITLANE_VERSION WORKERS="${WORKERS:-1}"
docker image inspect "auditlane-worker:$AUDITLANE_VERSION" "auditlane-serve:$AUDITLANE_VERSION" >/dev/null 2>&1 \
    || ../image/build.sh
docker compose "$@" up --detach --scale "worker=$WORKERS"
docker compose wait init
docker compose ps
echo "Create a key: docker compose --project-directory deploy/compose exec query auditlane keys create --role vendor"
