#!/bin/sh
# Installs the Debian packages that tests use, where this is root on a Debian and one is missing; elsewhere says what is.
# Never fails: a test that lacks its tool skips itself and says why.
set -u

# A check that succeeds when the tool is there, and the package that brings it.
tools() {
  cat <<'TABLE'
command -v curl                           : curl
command -v flock                          : util-linux
command -v prlimit                        : util-linux
command -v unshare                        : util-linux
command -v mount                          : mount
command -v ps                             : procps
command -v zsh                            : zsh
command -v fish                           : fish
command -v busybox                        : busybox
command -v strace                         : strace
command -v systemctl                      : systemd
command -v python3                        : python3
/usr/bin/python3 -c 'import dotenv'       : python3-dotenv
command -v git                            : git
command -v jq                             : jq
command -v msmtp                          : msmtp
command -v kubectl                        : kubernetes-client
command -v aws                            : awscli
TABLE
}

missing_packages() {
  tools | while IFS=: read -r check package; do
    sh -c "$check" >/dev/null 2>&1 </dev/null || echo "$package"
  done | tr -d ' ' | sort -u | tr '\n' ' '
}

missing=$(missing_packages)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "test set-up: not installed: ${missing}(tests that need them are skipped)"
  exit 0
fi

# The output is kept from the screen: it names mirrors, and says nothing that a person running tests wants to know.
export DEBIAN_FRONTEND=noninteractive
timeout 120 apt-get update >/dev/null 2>&1 </dev/null || echo 'test set-up: the lists of packages could not be updated'
# One by one: a package that this release does not have must not keep the others away.
for package in $missing; do
  timeout 300 apt-get install -y --no-install-recommends "$package" >/dev/null 2>&1 </dev/null ||
    echo "test set-up: $package could not be installed"
done
missing=$(missing_packages)
echo "test set-up: packages installed; still missing: ${missing:-none}"
exit 0
