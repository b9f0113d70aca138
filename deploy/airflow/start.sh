#!/usr/bin/env bash
# Start this bundle on the stack's machine:  start.sh /srv/etltctl
# The folder keeps airflow.env with the secrets of this machine, which are created once. The settings are in stack.env,
# which comes with every bundle and takes precedence.
set -euo pipefail
umask 077
home=$1
here=$(cd "$(dirname "$0")" && pwd)
touch "$home/airflow.env"
secrets=$(grep -oE '^[A-Z_]+_(KEY|SECRET|PASSWORD)=$' "$here/airflow.env.example")
while IFS= read -r line; do
    name="${line%%=*}="
    grep -qxF "$name" <<< "$secrets" || continue
    grep -q "^$name" "$home/airflow.env" || printf '%s\n' "$line" >> "$home/airflow.env"
done < <("$here/new-env.sh")
{
    grep -v -f <(sed 's/^/^/; s/=.*/=/' "$here/stack.env"; echo '^AWS_REGION=') "$home/airflow.env"
    echo "AWS_REGION=$AWS_DEFAULT_REGION"
    cat "$here/stack.env"
} > "$here/airflow.env"
cd "$here"
docker compose --project-name airflow --env-file airflow.env --file compose.yaml up --build --detach --remove-orphans
docker image prune --force > /dev/null
