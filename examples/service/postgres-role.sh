#!/bin/sh
# Run once, when the image of PostgreSQL makes the database, by its administrator: makes the role headgate, which may log in and owns the schema headgate, and nothing else.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat "$HEADGATE_PASSWORD_FILE"`
CREATE ROLE headgate LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS PASSWORD :'password';
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO headgate', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA headgate AUTHORIZATION headgate;
SQL
