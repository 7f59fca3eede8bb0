#!/bin/sh
# Refreshes the demo credential: sends the refresh token to a token endpoint, and prints the server's JSON answer.
# It is also the pattern for a script of your own.
#
# Configuration   "refresh": { "command": ["./scripts/refresh-demo.sh"], "input": "token" }   (result: stdout, the default)
# Relies on       curl, and on freshd's promise for "input": "token": one line of JSON without spaces between its members.
#                 That is why sed suffices here; for JSON from anywhere else use a real parser.
# Endpoint        FRESHD_DEMO_TOKEN_ENDPOINT, routed by refresh.environment; default http://127.0.0.1:8765/token
#
# Exit status     0   the server answered; freshd reads the answer, also when it is an error
#                 75  nothing was sent (name, connection, TLS): trying again is harmless
#                 74  the connection was lost later: the server may have rotated the refresh token
#                 77  there is no refresh token to send: a person must log in
#                 78  this script cannot work here
# No retries here: freshd plans them, and a blind second send of a single-use token can revoke the grant.
set -u

endpoint=${FRESHD_DEMO_TOKEN_ENDPOINT:-http://127.0.0.1:8765/token}
case $endpoint in
  # A proxy cannot reach a server on this machine.
  http://127.0.0.1[:/]* | http://localhost[:/]*) unset http_proxy all_proxy ALL_PROXY ;;
esac

if ! command -v curl >/dev/null 2>&1; then
  echo "refresh-demo: expected curl on the PATH $PATH; install it" >&2
  exit 78
fi

IFS= read -r tokens || tokens=
refresh_token=$(printf '%s\n' "$tokens" | sed -n 's/.*"refresh_token":"\([^"\\]*\)".*/\1/p')
if [ -z "$refresh_token" ]; then
  case $tokens in
    *'"refresh_token":"'*)
      echo 'refresh-demo: the refresh token has a quote or backslash in it, which this script cannot read' >&2
      exit 78
      ;;
    *)
      echo 'refresh-demo: expected a refresh token on stdin (set "input": "token"), got none; log in again' >&2
      exit 77
      ;;
  esac
fi

# -q: no ~/.curlrc, which may retry, follow redirects or be verbose. No -f: the body of a 4xx says what is wrong.
# The refresh token travels by stdin: printf is built into the shell, so it stands in no argument list.
printf '%s' "$refresh_token" | curl -q --silent --show-error \
  --proto '=http,https' \
  --header 'Accept: application/json' \
  --data 'grant_type=refresh_token' \
  --data-urlencode 'refresh_token@-' \
  -- "$endpoint"
status=$?

case $status in
  0) exit 0 ;;
  # No such host (6), no connection (7), no TLS handshake (35), untrusted certificate (60).
  6 | 7 | 35 | 60) exit 75 ;;
  # A malformed URL or an unknown protocol: never sent, and no better next time.
  1 | 3) exit 78 ;;
  *) exit 74 ;;
esac
