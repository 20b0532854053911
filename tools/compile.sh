#!/usr/bin/env bash
# Compiles what a later command needs and says how far it is: the go command is silent while it compiles, and the first
# time takes minutes. Says nothing if it takes less than five seconds.
#
#   tools/compile.sh WHAT [build flags] PACKAGES...
set -euo pipefail
what=$1
shift

every=10 # Seconds between two lines; on a terminal one line is rewritten each second.
if [[ -t 1 ]]; then every=1; fi
total=$(go list -deps "$@" | wc -l)
count=0
shown=$SECONDS

show() {
	local line="    compile $what: $count of at most $total packages, $SECONDS s"
	if [[ -t 1 ]]; then printf '\r%s' "$line"; else printf '%s\n' "$line"; fi
	shown=$SECONDS
}

# -export compiles and -v names each package when its turn comes. Any other line is a message for the reader.
package='^[^[:space:]]+( \[[^[:space:]]+\.test\])?$'
go list -v -export -deps -f '{{with ""}}{{end}}' "$@" 2>&1 | {
	while IFS= read -r line; do
		if [[ -n $line && ! $line =~ $package ]]; then
			printf '%s\n' "$line" >&2
		elif [[ -n $line ]]; then
			count=$((count + 1))
			if ((SECONDS - shown >= every)); then show; fi
		fi
	done
	if ((SECONDS >= 5)); then
		show
		if [[ -t 1 ]]; then echo; fi
	fi
}
