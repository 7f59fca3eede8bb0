#!/bin/sh
# Makes the Gemini CLI refresh its own login, by asking it for one word.
#
# Configuration   "store": { "format": "gemini" }, "refresh": { "command": ["./scripts/refresh-gemini.sh"], "result": "store" }
# Relies on       `gemini -p` refreshing ~/.gemini/oauth_creds.json when it needs the API, with the login by Google account.
#                 Costs one short request of your quota. Google's refresh tokens are not single use.
#
# Exit status     0   gemini ended well; freshd looks whether the store has changed
#                 74  gemini failed, perhaps after it had sent the refresh token
#                 78  gemini is not installed where this runs
set -u

if ! command -v gemini >/dev/null 2>&1; then
  echo "refresh-gemini: expected gemini on the PATH $PATH; install it, or set PATH by refresh.environment" >&2
  exit 78
fi

# With a key gemini would not use its login. freshd passes none; a shell might.
unset GEMINI_API_KEY GOOGLE_API_KEY

# Its own folder: a project's instructions have no business here.
cd "$HOME/.gemini" || exit 78

# Its answer is prose and says nothing about the login; its stderr is kept, for people.
if gemini -p 'Answer with the single word ok.' </dev/null >/dev/null; then exit 0; fi
exit 74
