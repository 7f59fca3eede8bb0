#!/bin/sh
# Prints the token of the GitHub CLI's login.
#
# Configuration   "refresh": { "command": ["./scripts/refresh-gh.sh"], "result": "text" }, "rotates": false, "expires": "never"
# Relies on       `gh auth token` printing the bare token of GH_HOST (github.com) from gh's files or keyring. It sends
#                 nothing. These tokens do not expire: what freshd adds is to notice another login.
#
# Exit status     0   the token is on stdout
#                 75  gh has no token, or cannot reach its keyring yet; nothing was sent, so asking again is harmless
#                 78  gh is not installed where this runs
set -u

if ! command -v gh >/dev/null 2>&1; then
  echo "refresh-gh: expected gh on the PATH $PATH; install it, or set PATH by refresh.environment" >&2
  exit 78
fi

# With one of these gh would print it back instead of its login's. freshd passes none; a shell might.
unset GH_TOKEN GITHUB_TOKEN

if gh auth token </dev/null; then exit 0; fi
exit 75
