#!/bin/sh
# Starts Alertmanager with the secret of the WeChat Work app put into a copy of its configuration.
#
#   render.sh CONFIG SECRET_FILE TARGET alertmanager [flags]
#
# Alertmanager reads that secret from a file only since 0.31; this works with every version. TARGET belongs on a
# tmpfs: the copy holds the secret. It is written beside a link to the templates, which CONFIG names by a relative path.
set -eu

config=$1 secret_file=$2 target=$3
shift 3

[ -r "$secret_file" ] || { echo "render.sh: cannot read $secret_file: put the secret of the WeChat Work app there" >&2; exit 1; }
secret=$(tr -d '\r\n' <"$secret_file")
case $secret in
'' | *[!A-Za-z0-9_-]*)
    echo "render.sh: $secret_file must hold the secret of the WeChat Work app alone: letters, digits, - and _" >&2
    exit 1
    ;;
esac

umask 077
mkdir -p "$(dirname "$target")"
ln -sfn "$(cd "$(dirname "$config")" && pwd)/templates" "$(dirname "$target")/templates"
# The secret goes by standard input: the arguments of a process are public.
printf '/^ *#/!s/WECHAT_API_SECRET/%s/\n' "$secret" | sed -f - "$config" >"$target"

exec "$@" --config.file="$target"
