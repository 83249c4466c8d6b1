# Sourced by the test of each editor. Gives it:
#   $work        a new folder, removed at the end
#   $server      the server: the program with its exit codes noted, so that a test can ask whether it ended cleanly
#   $workspace   a git repository with the Dockerfiles of workspace/, committed
#   $DIFFERS     a file: where it is there, what builds for the server makes another image of each Dockerfile
#   $neighbour   the other server for Dockerfiles, if it could be installed
#   $artefacts   where screenshots and logs go that are worth a look afterwards
# and a home folder of its own, so that neither the user's settings nor recorded builds have a part in it.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LAYERWISE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerwise-test}
artefacts=${LAYERWISE_TEST_ARTEFACTS:-$cache/artefacts}
work=$(mktemp -d "${TMPDIR:-/tmp}/layerwise-editor.XXXXXX")
# What an editor left running may still write for a moment.
cleanup() { rm -rf "$work" 2>/dev/null || { sleep 2 && rm -rf "$work"; }; }
trap cleanup EXIT
mkdir -p "$artefacts"

# LAYERWISE_SERVER names a server that is built already.
if [ -z "${LAYERWISE_SERVER-}" ]; then
	export LAYERWISE_SERVER=$work/layerwise
	(cd "$tests/../.." && go build -o "$LAYERWISE_SERVER" ./cmd/layerwise)
fi

export GOPATH=$(go env GOPATH) GOCACHE=$(go env GOCACHE) npm_config_cache=$(npm config get cache 2>/dev/null)
export HOME=$work/home
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME
export GIT_CONFIG_GLOBAL=$HOME/.gitconfig GIT_CONFIG_NOSYSTEM=1
mkdir -p "$HOME" "$work/bin"
git config --global user.name "Layerwise test"
git config --global user.email test@example.com
git config --global init.defaultBranch main

server=$work/bin/layerwise
exits=$work/exits
export DIFFERS=$work/differs
cat >"$server" <<END
#!/bin/sh
PATH=$tests/bin:\$PATH
[ -t 2 ] || exec 2>>"$work/server.log"
"$LAYERWISE_SERVER" "\$@"
echo \$? >>"$exits"
END
chmod +x "$server"

neighbour=$cache/docker-langserver/node_modules/.bin/docker-langserver

workspace=$work/workspace
cp -r "$tests/workspace" "$workspace"
git -C "$workspace" init -q
git -C "$workspace" add -A
git -C "$workspace" commit -qm "As it was built"

# ended_cleanly COUNT: whether the server ended that many times, each time with exit code 0.
ended_cleanly() {
	for _ in $(seq 50); do
		[ "$(cat "$exits" 2>/dev/null | wc -l)" -lt "$1" ] || break
		sleep 0.1
	done
	[ "$(cat "$exits" 2>/dev/null)" = "$(yes 0 | head -n "$1")" ] || {
		echo "the server should have ended $1 times with exit code 0; exit codes: $(tr '\n' ' ' <"$exits")"
		return 1
	}
}

# gone: whether the server is gone soon, for editors that kill it, so that there is no exit code to ask for.
gone() {
	for _ in $(seq 50); do
		ls -l /proc/[0-9]*/fd/2 2>/dev/null | grep -qF "$work/server.log" || return 0
		sleep 0.1
	done
	echo "FAILED: the server still runs"
	return 1
}
