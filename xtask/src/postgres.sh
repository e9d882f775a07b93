# A private PostgreSQL on 127.0.0.1 until standard input ends. Arguments: folder of its programs, port.
# Prints its address when it accepts connections. Everything it writes lies in one temporary folder.
set -eu
bin=$1
port=$2

folder=$(mktemp -d "${TMPDIR:-/tmp}/orgtide-postgres.XXXXXX")
server=
stop() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server"; } || true
    rm -rf "$folder"
}
trap stop EXIT
# Whoever reads our output may be gone: a write that fails must end in the trap above.
trap '' PIPE HUP INT
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
umask 077
printf '%s\n' "$password" >"$folder/password"

"$bin/initdb" --pgdata "$folder/data" --username orgtide --auth scram-sha-256 --pwfile "$folder/password" \
    --encoding UTF8 --locale C --no-sync >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }

"$bin/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_connections=200 -c fsync=off -c full_page_writes=off </dev/null >>"$folder/log" 2>&1 &
server=$!
until grep -q 'database system is ready to accept connections' "$folder/log"; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done
echo "postgres://orgtide:$password@127.0.0.1:$port/postgres"

cat >/dev/null
