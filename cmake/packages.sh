#!/bin/sh
# Installs the Debian packages that are missing, with sudo only when not root.
# Usage: packages.sh PACKAGE[:COMMAND]... - a command that is there stands for its package.
set -u
missing=
for word in "$@"; do
    package=${word%%:*}
    case $word in
    *:*) command -v "${word#*:}" >/dev/null 2>&1 && continue ;;
    esac
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *" ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "note: this is not Debian or a relative; what these packages hold must be there:$missing" >&2
    exit 0
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "packages are missing, and neither root nor sudo is at hand. As root: apt-get install$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "installing packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of packages
if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "the packages could not be installed:$missing" >&2
    exit 1
fi
