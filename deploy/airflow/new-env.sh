#!/usr/bin/env bash
# Print airflow.env.example with its secrets filled in:  umask 077; ./new-env.sh > airflow.env
set -euo pipefail
while IFS= read -r line; do
    case "$line" in
        *_KEY= | *_SECRET= | *_PASSWORD=) line=$line$(openssl rand -base64 32 | tr '+/' '-_') ;;
    esac
    printf '%s\n' "$line"
done < "$(dirname "$0")/airflow.env.example"
