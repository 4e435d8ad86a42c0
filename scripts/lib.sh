# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used there

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$PATH:${HOME:-/root}/.cargo/bin"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# install PACKAGE…: from the distribution, with what rights there are.
apt_updated=
install() {
    local as_root=()
    if [[ $EUID -ne 0 ]]; then
        command -v sudo >/dev/null || fail "please install: $*"
        as_root=(sudo)
    fi
    command -v apt-get >/dev/null || fail "please install: $*"
    say "installing $*"
    if [[ -z $apt_updated ]]; then
        "${as_root[@]}" apt-get update -qq >&2
        apt_updated=yes
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --yes --no-install-recommends "$@" >&2
}

# need_package COMMAND PACKAGE…: installs the packages if there is no such command.
need_package() {
    command -v "$1" >/dev/null || install "${@:2}"
}

# What `cargo build` needs beside Rust: SQLite is compiled from source.
need_compiler() {
    command -v cargo >/dev/null || fail "Rust is missing: see https://rustup.rs"
    need_package cc gcc libc6-dev
}

# Prints the directory of initdb, pg_ctl and postgres; the newest if there are several.
postgres_bin() {
    local directory
    if directory=$(command -v initdb); then
        dirname "$(readlink -f "$directory")"
        return
    fi
    for directory in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [[ -x $directory/initdb ]]; then
            printf '%s\n' "$directory"
            return
        fi
    done
    return 1
}

need_postgres() {
    postgres_bin >/dev/null || install postgresql
}

# start_postgres: a throw-away server on a free port of 127.0.0.1, gone when the script ends.
# Exports FAFANG_TEST_POSTGRES, unless it names a server already.
start_postgres() {
    [[ -z ${FAFANG_TEST_POSTGRES:-} ]] || return 0
    need_postgres
    local bin port attempt
    bin=$(postgres_bin) || fail "initdb is nowhere to be found"
    postgres_dir=$(mktemp -d "${TMPDIR:-/tmp}/fafang-postgres.XXXXXX")
    postgres_as=()
    trap stop_postgres EXIT
    if [[ $EUID -eq 0 ]]; then # the server refuses to run as root
        local user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        chown "$user" "$postgres_dir"
        if command -v setpriv >/dev/null; then
            postgres_as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
        else
            postgres_as=(runuser -u "$user" --)
        fi
    fi
    postgres_ctl=("${postgres_as[@]}" "$bin/pg_ctl" -D "$postgres_dir/data" -l "$postgres_dir/log" -s -w)

    "${postgres_as[@]}" "$bin/initdb" -N -A trust -U postgres -E UTF8 --locale=C \
        -D "$postgres_dir/data" >"$postgres_dir/log.initdb" 2>&1 || fail "$(<"$postgres_dir/log.initdb")"
    "${postgres_as[@]}" tee -a "$postgres_dir/data/postgresql.conf" >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
dynamic_shared_memory_type = mmap
fsync = off
synchronous_commit = off
full_page_writes = off
CONF
    for attempt in 1 2 3 4 5; do # another program may take the port first
        port=$((20000 + RANDOM % 12000))
        if (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        if "${postgres_ctl[@]}" -o "-p $port" start >/dev/null 2>&1; then
            export FAFANG_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
            return
        fi
    done
    fail "PostgreSQL did not start in $attempt attempts: $(cat "$postgres_dir/log")"
}

stop_postgres() {
    [[ -n ${postgres_dir:-} ]] || return 0
    "${postgres_ctl[@]}" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$postgres_dir"
    postgres_dir=
}

# The tests start a server of their own, and make keys.
need_ssh() {
    [[ -x $(command -v sshd || printf /usr/sbin/sshd) ]] || install openssh-server
    need_package ssh-keygen openssh-client
}
