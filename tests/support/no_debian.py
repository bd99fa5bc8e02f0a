"""What makes a mount namespace a machine of another distribution than Debian."""

SCRIPT = """
mkdir empty
mount --bind empty /etc/apt
mount --bind empty /usr/share/keyrings
for program in gpgv gpg sqv apt-config; do
  path=$(command -v $program) && mount --bind /dev/null "$path"
done
! command -v gpgv
ls /etc/apt /usr/share/keyrings
"""
"""For `sh -e`, as root of a namespace: no apt configuration, no Debian keyring, no gpgv."""
