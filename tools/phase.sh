#!/usr/bin/env bash
# Runs one command under a heading and says how it ended and how long it took.
#
#   tools/phase.sh TITLE COMMAND [ARGUMENTS...]
set -euo pipefail
title=$1
shift

echo "==> $title"
status=0
"$@" || status=$?
if ((status == 0)); then ended=done; else ended="FAILED (exit status $status)"; fi
printf '<== %s: %s in %d min %d s\n' "$title" "$ended" $((SECONDS / 60)) $((SECONDS % 60))
exit "$status"
