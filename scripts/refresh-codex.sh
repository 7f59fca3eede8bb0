#!/bin/sh
# Makes Codex refresh its own login, by asking it for one word.
#
# Configuration   "store": { "format": "codex" }, "refresh": { "command": ["./scripts/refresh-codex.sh"], "result": "store" }
# Relies on       `codex exec` refreshing auth.json in ~/.codex (CODEX_HOME) when it needs the API. Costs one short request
#                 of your quota. The sandbox is read-only, and no repository is needed.
#
# Exit status     0   codex ended well; freshd looks whether the store has changed
#                 74  codex failed, perhaps after it had sent the refresh token
#                 78  codex is not installed where this runs
set -u

if ! command -v codex >/dev/null 2>&1; then
  echo "refresh-codex: expected codex on the PATH $PATH; install it, or set PATH by refresh.environment" >&2
  exit 78
fi

# With a key of its own codex would not use its login. freshd passes none; a shell might.
unset OPENAI_API_KEY CODEX_API_KEY

# Its own folder: a project's instructions have no business here.
cd "${CODEX_HOME:-$HOME/.codex}" || exit 78

# Its answer is prose and says nothing about the login; its stderr is kept, for people.
if codex exec --skip-git-repo-check --sandbox read-only 'Answer with the single word ok.' </dev/null >/dev/null; then exit 0; fi
exit 74
