#!/usr/bin/env bash
# Boots a real systemd as process 1 of namespaces of its own, so that units can be tried on a machine that runs another init.
#
#   systemd-sandbox.sh boot [PATH...]      prints "ready PID" once the manager answers; ends when its standard input is closed
#   systemd-sandbox.sh enter PID COMMAND…  runs a command inside (systemctl, systemd-run, journalctl, …)
#   systemd-sandbox.sh why-not             prints why it cannot work here, or nothing
#
# Inside, the host's root is visible, and what is written to it goes to memory; only each PATH is shared with the host. The
# network is the host's. Whatever ends this script, SIGKILL too, ends the sandbox. Needs root.
set -euo pipefail

readonly BOOT_SECONDS_MAX=30

why_not() {
  if [ "$(id -u)" != 0 ]; then
    echo 'needs root'
  elif [ ! -x /lib/systemd/systemd ]; then
    echo 'systemd is not installed'
  elif [ -z "$(cgroup_mount)" ]; then
    echo 'there is no cgroup v2 mount'
  elif ! unshare --mount --uts --ipc --cgroup --pid --fork -- mount -t tmpfs none /mnt 2>/dev/null; then
    echo 'no namespaces of our own'
  fi
}

cgroup_mount() {
  awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts
}

boot() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/freshd-systemd-XXXXXX")
  cgroup=$(cgroup_mount)/freshd-systemd-$$
  outer=
  trap end EXIT
  trap 'exit 1' HUP INT TERM
  mkdir "$cgroup"
  # The process is in the cgroup before its namespace is made, so that this cgroup is the root of what systemd sees.
  # shellcheck disable=SC2016
  sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec setpriv --pdeathsig KILL unshare "$@"' _ "$cgroup" \
    --mount --uts --ipc --cgroup --pid --fork --kill-child -- "$0" inside "$work" "$@" </dev/null >"$work.log" 2>&1 &
  outer=$!
  local deadline=$((SECONDS + BOOT_SECONDS_MAX)) init='' state=''
  until [ "$state" = running ] || [ "$state" = degraded ]; do
    if [ $SECONDS -ge $deadline ] || ! kill -0 "$outer" 2>/dev/null; then
      echo "systemd did not come up (state: ${state:-none}):" >&2
      cat "$work.log" >&2
      exit 1
    fi
    sleep 0.1
    init=$(tr -d ' ' <"/proc/$outer/task/$outer/children" || true)
    [ "$(cat "/proc/${init:-none}/comm" 2>/dev/null)" = systemd ] || continue
    state=$(enter "$init" systemctl is-system-running 2>/dev/null || true)
  done
  echo "ready $init"
  cat >/dev/null
}

end() {
  if [ -n "$outer" ]; then
    kill -KILL "$outer" 2>/dev/null || true
    wait "$outer" 2>/dev/null || true
  fi
  # The kernel ends the processes of a dead pid namespace by itself; their cgroups can go once they are empty.
  for _ in $(seq 100); do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -d "$cgroup" ] || break
    sleep 0.1
  done
  rm -f "$work.log"
  rmdir "$work"
}

enter() {
  local init=$1
  shift
  nsenter --target "$init" --all -- env -i HOME=/root LANG=C.UTF-8 PATH="$SYSTEM_PATH" "$@"
}

# Process 1 of the new namespaces: builds its root and becomes systemd.
inside() {
  local work=$1 path device unit
  shift
  mount --make-rprivate /
  # A shared path may lie below a place that is covered in a moment.
  mount -t tmpfs -o mode=755 none "$work"
  local root=$work/root
  mkdir "$work/upper" "$work/index" "$root"
  mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/index" none "$root"
  mount -t proc none "$root/proc"
  mount -t sysfs -o ro none "$root/sys"
  if ! mount -t cgroup2 none "$root/sys/fs/cgroup" 2>/dev/null; then
    mount -t tmpfs none "$root/sys/fs"
    mkdir "$root/sys/fs/cgroup"
    mount -t cgroup2 none "$root/sys/fs/cgroup"
  fi
  mount -t tmpfs -o mode=755,nosuid,nodev none "$root/run"
  mount -t tmpfs -o mode=755,nosuid none "$root/dev"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  ln -s /proc/self/fd "$root/dev/fd"
  # A service with PrivateDevices= does not start without it.
  ln -s pts/ptmx "$root/dev/ptmx"
  for path in "$@"; do
    mkdir -p "$root$path"
    mount --bind "$path" "$root$path"
  done
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  : >"$root/etc/fstab"
  for unit in "${UNITS_OF_A_REAL_MACHINE[@]}"; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
  cd "$root"
  mkdir .host
  pivot_root . .host
  cd /
  umount --lazy /.host
  # As at a real boot: what systemd mounts for a service (its credentials) has to reach the services.
  mount --make-rshared /
  exec env -i PATH="$SYSTEM_PATH" container=sandbox /lib/systemd/systemd --system --unit=basic.target --show-status=false
}

readonly SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# They set up hardware, kernel and seats; here the host has done so.
readonly UNITS_OF_A_REAL_MACHINE=(
  systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
  systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service
  systemd-timesyncd.service systemd-networkd.service systemd-resolved.service
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount
)

command=${1:-}
[ $# -gt 0 ] && shift
case "$command" in
  boot | enter | inside) "$command" "$@" ;;
  why-not) why_not ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
