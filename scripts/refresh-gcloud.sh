#!/bin/sh
# Prints an access token of the Google Cloud CLI's active account.
#
# Configuration   "refresh": { "command": ["./scripts/refresh-gcloud.sh"], "result": "text" }, "rotates": false, "expires": 3600
# Relies on       `gcloud auth print-access-token` printing the bare token, and getting a new one in the last minutes of the
#                 old. Google's access tokens live an hour; the command does not say how much of it is left. Its refresh
#                 token is not single use, and stays in gcloud's own files (CLOUDSDK_CONFIG).
#
# Exit status     0   the token is on stdout
#                 74  gcloud failed, perhaps after it had sent something; its stderr says why
#                 78  gcloud is not installed where this runs
set -u

if ! command -v gcloud >/dev/null 2>&1; then
  echo "refresh-gcloud: expected gcloud on the PATH $PATH; install it, or set PATH by refresh.environment" >&2
  exit 78
fi

# Nobody is there to answer a question.
CLOUDSDK_CORE_DISABLE_PROMPTS=1
export CLOUDSDK_CORE_DISABLE_PROMPTS

if gcloud auth print-access-token </dev/null; then exit 0; fi
exit 74
