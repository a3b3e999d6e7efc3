#!/bin/sh
# Sets up a second daemon, with a socket, a configuration, models and a store of its own. As root: second-daemon.sh NAME
set -eu
name=$1
for kind in socket service; do
  sed -e "s|mmdaemon\.sock|mmdaemon-$name.sock|" -e "s|mmdaemon/config.toml|mmdaemon/$name.toml|" \
    -e "s|mmdaemon/store|mmdaemon/$name/store|" /usr/lib/systemd/system/mmdaemon.$kind \
    > /etc/systemd/system/mmdaemon-$name.$kind
done
sed -e "s|/var/lib/mmdaemon/|/var/lib/mmdaemon/$name/|" -e "s|mmdaemon\.sock|mmdaemon-$name.sock|" \
  /etc/mmdaemon/config.toml > /etc/mmdaemon/$name.toml
install -d -m 755 "/var/lib/mmdaemon/$name"
install -d -m 2775 -g mmdaemon-models "/var/lib/mmdaemon/$name/models"
systemctl daemon-reload
systemctl enable --now "mmdaemon-$name.socket" "mmdaemon-$name.service"
