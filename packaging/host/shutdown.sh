#!/bin/sh
# Run by the package installer before it unmounts the package's files, for removal and for upgrade. It stops services only
# if they are switched on in chkconfig; one that was started by hand would keep its files busy.
# What this returns must not decide about the installation: the installer sees by itself whether the files are busy.
script=/etc/init.d/esxftpd
if [ -x "$script" ]; then "$script" stop remove; fi
exit 0
