#!/bin/sh
# Installs the Debian packages named as arguments, as root, without starting or enabling their system services:
# Hilum starts its own Orthanc on its own ports, and a second one on 4242 and 8042 would be an open DICOM server
# that nobody asked for. What is changed for the time of the installation is put back whatever happens.
set -eu

policy=/usr/sbin/policy-rc.d
mark='# Written by the set-up of Hilum for the time of an installation.'

put_back() {
  if [ -f "$policy" ] && grep -qF "$mark" "$policy"; then rm -f "$policy"; fi
}

# Left behind by a run that was killed.
put_back
trap put_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A policy of the machine's administrator stays in force.
if [ ! -e "$policy" ]; then
  # 101: "action forbidden by policy" (invoke-rc.d(8)).
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

orthanc_was_here=no
if dpkg-query -W -f '${db:Status-Status}' orthanc 2>/dev/null | grep -qx installed; then orthanc_was_here=yes; fi

# Another apt (unattended upgrades) may hold the lock for some minutes.
apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -- "$@"

# An Orthanc that was here before is the machine's own business.
if [ "$orthanc_was_here" = no ] && [ -e /etc/init.d/orthanc ]; then
  echo 'The system service of Orthanc stays off; Hilum starts its own.'
  invoke-rc.d --quiet orthanc stop || true
  update-rc.d orthanc disable
fi
