#!/bin/sh
# Makes the secrets of compose.yaml in .secrets, each in a file; what is there already stays. Only you can enter the folder; the files are readable so that the users in the containers can read what is mounted there.
set -eu
cd "$(dirname "$0")"
mkdir -p .secrets
chmod 700 .secrets
for name in admin_token ci_token postgres_password headgate_password; do
  [ -s ".secrets/$name" ] || openssl rand -hex 32 > ".secrets/$name"
done
printf 'postgres://headgate:%s@postgres:5432/headgate\n' "$(cat .secrets/headgate_password)" > .secrets/database_url
chmod 444 .secrets/*
