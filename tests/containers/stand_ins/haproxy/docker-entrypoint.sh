#!/bin/sh
# As the official image does: HAProxy runs as master and worker (-W), in the foreground (-db).
set -e
[ "${1#-}" = "$1" ] || set -- haproxy "$@"
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
