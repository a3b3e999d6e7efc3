#!/bin/sh
# Builds the Debian package; called by `make deb`. Usage: build.sh PYTHON_OF_THE_BOX
#
# The package carries its Python environment (numpy, LiteRT, Pillow, no TensorFlow), because boxes have no network and no
# compiler. So it fits one minor version of Python and one architecture, and Depends says which.
set -eu
box_python=$1
here=$(dirname "$0")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' daemon/mmdaemon/__init__.py)
minor=$("$box_python" -c 'import sys; print(sys.version_info.minor)')
architecture=$(dpkg --print-architecture)

umask 022
chmod 755 "$stage"
make --no-print-directory install DESTDIR="$stage" SYSTEM_PYTHON="$box_python"
gzip -9n "$stage"/usr/share/man/man1/*.1
install -D -m 644 LICENSE "$stage/usr/share/doc/mmdaemon/copyright"
install -D -m 644 -t "$stage/usr/share/doc/mmdaemon" README.md CHANGELOG.md docs/*.md
install -D -m 644 -t "$stage/usr/share/doc/mmdaemon/examples" systemd/examples/*.conf
install -m 755 -t "$stage/usr/share/doc/mmdaemon/examples" systemd/examples/*.sh

mkdir "$stage/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@THIS@/3.$minor/" \
  -e "s/@NEXT@/3.$((minor + 1))/" -e "s/@SIZE@/$(du -sk "$stage/usr" | cut -f1)/" "$here/control" > "$stage/DEBIAN/control"
echo /etc/mmdaemon/config.toml > "$stage/DEBIAN/conffiles"
install -m 755 -t "$stage/DEBIAN" "$here/postinst" "$here/prerm" "$here/postrm"
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)

mkdir -p dist
dpkg-deb --root-owner-group --build "$stage" "dist/mmdaemon_${version}_${architecture}.deb"
