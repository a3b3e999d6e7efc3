#!/bin/sh
# Boots systemd as PID 1 of namespaces of its own, on an overlay of this machine that is gone afterwards.
# Usage: unshare --fork --pid --mount --uts --ipc --cgroup --kill-child tests/system/boot.sh FOLDER [COMMAND]
#
# Nothing in the box may lead back to this machine's own files: systemd empties /tmp and more when it starts. The old
# root is let go of before systemd runs, and a file system that is not the box's own ends the boot.
set -eu
box=$1
shift
mount --make-rprivate /
mount -t tmpfs -o size=4g tmpfs "$box"
mkdir "$box/upper" "$box/work" "$box/root"
mount -t overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" overlay "$box/root"
cd "$box/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
  set -- $node "$@"
  mknod -m 666 "dev/$1" c "$2" "$3"
  shift 3
done
mkdir dev/shm dev/pts dev/mqueue
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mkdir run/old
pivot_root . run/old
cd /
umount -l /run/old
rmdir /run/old
if grep -qvE ' - (overlay|proc|sysfs|cgroup2|tmpfs|devpts) ' /proc/self/mountinfo; then
  echo "not booted: the box would reach this machine's own files:" >&2
  grep -vE ' - (overlay|proc|sysfs|cgroup2|tmpfs|devpts) ' /proc/self/mountinfo >&2
  exit 1
fi
[ $# -gt 0 ] || set -- /lib/systemd/systemd --unit=basic.target
mkdir -p /etc /var/log/journal
: > /etc/machine-id
hostname box
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
