#!/bin/sh
# Builds freshd_VERSION_ARCHITECTURE.deb around the packed package, with its dependencies at the locked versions.
#
#   build.sh OUTPUT [TARBALL]     OUTPUT: an existing folder; TARBALL: from `npm pack` (made anew without one)
#
# Prints the path of the package. Needs dpkg-deb, npm and Node; no root: the files in the package belong to root all the same.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
output=$(cd "${1:?usage: build.sh OUTPUT [TARBALL]}" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is packed must not depend on the umask of whoever packs it.
umask 022

tarball=${2:-}
if [ -z "$tarball" ]; then
  tarball=$work/$(cd "$root" && npm pack --silent --pack-destination "$work" | tail -n 1)
fi

stage=$work/stage
library=$stage/usr/lib/freshd
mkdir -p "$library" "$stage/DEBIAN"
tar -xzf "$tarball" -C "$library" --strip-components=1 --no-same-owner
version=$(node -p "require('$library/package.json').version")
architecture=$(dpkg --print-architecture)

# Beside it the lock of the repository: the same versions as the tests ran with. Not `npm ci`: it wants every platform's
# optional binaries in the lock, and a registry that mirrors a part of them gives none.
cp "$root/package-lock.json" "$library/"
(cd "$library" && npm install --silent --omit=dev --ignore-scripts --no-audit --no-fund) >&2
rm "$library/package-lock.json"

place() {
  install -D -m "$1" "$2" "$stage$3"
}

mkdir -p "$stage/usr/bin"
ln -s ../lib/freshd/bin/freshd.js "$stage/usr/bin/freshd"
place 644 "$library/systemd/freshd.service" /usr/lib/systemd/system/freshd.service
place 644 "$library/systemd/freshd.socket" /usr/lib/systemd/system/freshd.socket
place 644 "$library/systemd/user/freshd.service" /usr/lib/systemd/user/freshd.service
place 644 "$library/systemd/user/freshd.socket" /usr/lib/systemd/user/freshd.socket
place 644 "$library/systemd/sysusers.d/freshd.conf" /usr/lib/sysusers.d/freshd.conf
gzip -9 -n -c "$library/docs/freshd.1" >"$work/freshd.1.gz"
place 644 "$work/freshd.1.gz" /usr/share/man/man1/freshd.1.gz
for shell in bash zsh fish; do
  node "$library/bin/freshd.js" completion "$shell" >"$work/completion.$shell"
done
place 644 "$work/completion.bash" /usr/share/bash-completion/completions/freshd
place 644 "$work/completion.zsh" /usr/share/zsh/vendor-completions/_freshd
place 644 "$work/completion.fish" /usr/share/fish/vendor_completions.d/freshd.fish
place 644 "$root/LICENSE" /usr/share/doc/freshd/copyright
gzip -9 -n -c "$root/CHANGELOG.md" >"$work/changelog.gz"
place 644 "$work/changelog.gz" /usr/share/doc/freshd/changelog.gz

for script in postinst prerm postrm; do
  install -m 755 "$here/$script" "$stage/DEBIAN/$script"
done
cat >"$stage/DEBIAN/control" <<CONTROL
Package: freshd
Version: $version
Architecture: $architecture
Maintainer: The freshd authors <freshd@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: nodejs (>= 20), util-linux
Recommends: systemd
Section: net
Priority: optional
Description: keeps OAuth tokens fresh for programs that run unattended
 A daemon that refreshes each OAuth token ahead of its expiry, retries and
 recovers, tells a person once when it cannot, and hands every fresh token to
 a .env file, a token file, a hook and a Unix socket.
CONTROL

package=$output/freshd_${version}_${architecture}.deb
dpkg-deb --root-owner-group --build "$stage" "$package" >&2
echo "$package"
