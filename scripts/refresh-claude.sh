#!/bin/sh
# Makes Claude Code refresh its own login, by asking it for one word.
#
# Configuration   "store": { "format": "claude-code" }, "refresh": { "command": ["./scripts/refresh-claude.sh"], "result": "store" }
# Relies on       `claude` refreshing ~/.claude/.credentials.json (CLAUDE_CONFIG_DIR) when it needs the API, which it does
#                 only in the last 5 minutes of a token: hence the margin of 4.5 minutes for this store. Costs one short
#                 request of your quota. It takes its own locks; freshd holds none of them meanwhile.
# Does not use    `claude auth status` or `claude doctor`: they have been seen to damage the login.
#
# Exit status     0   claude ended well; freshd looks whether the store has changed
#                 74  claude failed, perhaps after it had sent the refresh token
#                 78  claude is not installed where this runs
set -u

if ! command -v claude >/dev/null 2>&1; then
  echo "refresh-claude: expected claude on the PATH $PATH; install it, or set PATH by refresh.environment" >&2
  exit 78
fi

# With any of these claude would not use, and so not refresh, its login. freshd passes none of them; a shell might.
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN

# Its own folder: a project's instructions, hooks and settings have no business here.
cd "${CLAUDE_CONFIG_DIR:-$HOME/.claude}" || exit 78

# Its answer is prose and says nothing about the login; its stderr is kept, for people.
if claude -p 'Answer with the single word ok.' </dev/null >/dev/null; then exit 0; fi
exit 74
